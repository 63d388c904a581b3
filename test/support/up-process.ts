import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { isPortTaken } from '../../services/cli/src/up/port-owner.ts';
import { isAlive, processMark } from '../../services/cli/src/up/process-identity.ts';
import { portsFrom } from '../../services/cli/src/up/settings.ts';
import { waitFor } from './wait-for.ts';

export const MAIN = join(import.meta.dirname, '..', '..', 'services', 'cli', 'src', 'main.ts');
const READY_MS_MAX = 100_000;

/** What `covey up --json` prints when it is ready. */
export interface ReadyLine {
  apiUrl: string;
  members: { id: string; url: string; name: string }[];
  pid: number;
  pids: Record<string, number>;
  epoch: number;
  firstStart: boolean;
  msToReady: number;
}

/** A process as it was when asked about; another one with its pid later is not it. */
export interface KnownProcess {
  name: string;
  pid: number;
  lives(): boolean;
}

/** `covey up --json` as a process, as somebody at a terminal would run it. */
export class UpProcess {
  readonly child: ChildProcess;
  stdout = '';
  stderr = '';

  constructor(env: Record<string, string>, { args = [], uid }: { args?: string[]; uid?: number } = {}) {
    const options = ['--disable-warning=ExperimentalWarning', MAIN, 'up', '--json', '--empty', ...args];
    this.child = spawn(process.execPath, options, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...env },
      ...(uid === undefined ? {} : { uid, gid: uid }),
    });
    this.child.stdout!.setEncoding('utf8').on('data', (text: string) => {
      this.stdout += text;
    });
    this.child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text;
    });
  }

  get ended(): boolean {
    return this.child.exitCode !== null || this.child.signalCode !== null;
  }

  /** @throws Error with what it said when it ends before it is ready. */
  async ready(): Promise<ReadyLine> {
    await waitFor(() => this.stdout.includes('\n') || this.ended, 'covey up to be ready', READY_MS_MAX);
    if (!this.stdout.includes('\n')) throw new Error(`covey up ended:\n${this.stderr}`);
    return JSON.parse(this.stdout);
  }

  /** Its exit code, when it has ended. */
  async exitCode(): Promise<number | null> {
    await waitFor(() => this.ended, 'covey up to end', READY_MS_MAX);
    return this.child.exitCode;
  }

  kill(signal: NodeJS.Signals): void {
    if (!this.ended) this.child.kill(signal);
  }
}

export function knownProcesses(pids: Record<string, number>): KnownProcess[] {
  return Object.entries(pids).map(([name, pid]) => {
    const mark = processMark(pid);
    if (!mark) throw new Error(`${name} (${pid}) does not live`);
    return { name, pid, lives: () => isAlive(pid, mark) };
  });
}

/** A base for COVEY_PORT below which nobody listens on any port that a cluster wants. */
export async function freeBasePort(): Promise<number> {
  for (;;) {
    const base = 20_000 + 50 * Math.floor(Math.random() * 200);
    const ports = portsFrom(base);
    const wanted = [
      ports.api,
      ...[1, 2, 3, 4, 5].map(ports.member),
      ports.coordinator,
      ports.nats,
      ports.postgres,
    ];
    if (!(await Promise.all(wanted.map(isPortTaken))).includes(true)) return base;
  }
}
