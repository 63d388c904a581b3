import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { chmodSync, closeSync, mkdtempSync, openSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { processMark } from '../../services/cli/src/up/process-identity.ts';
import { ReaperClient } from '../../services/cli/src/up/reaper-client.ts';
import type { ReapStep } from '../../services/cli/src/up/reaper-protocol.ts';
import { freePort } from './free-port.ts';

/** Ends what this test process started when it ends, even by SIGKILL. One is enough for a process. */
let reaper: ReaperClient | undefined;

const STOP_MS_MAX = 10_000;
const LOG_CHARACTERS_SHOWN = 2_000;

export interface NativeServerSettings {
  command: string;
  args: readonly string[];
  /** Its output goes to this file. */
  log: string;
  stage: number;
  steps: readonly ReapStep[];
  options?: SpawnOptions;
}

/** A server that a test runs: a child process that is waited for, stopped, and never left behind. */
export class NativeServer {
  readonly #child: ChildProcess;
  readonly #log: string;
  readonly #ended: Promise<void>;

  constructor({ command, args, log, stage, steps, options }: NativeServerSettings) {
    this.#log = log;
    const output = openSync(log, 'a');
    this.#child = spawn(command, args, { ...options, stdio: ['ignore', output, output], detached: true });
    closeSync(output);
    this.#ended = new Promise((resolve) => {
      this.#child.on('exit', () => resolve());
      this.#child.on('error', () => resolve());
    });
    const { pid } = this.#child;
    const mark = pid && processMark(pid);
    if (!pid || !mark) return;
    if (!reaper) {
      reaper = new ReaperClient();
      reaper.start();
    }
    reaper.watch({ name: command, pid, mark, stage, steps });
    void this.#ended.then(() => reaper?.forget(pid));
  }

  /** Waits for `ready`; when the server ends first, throws with the end of its log. */
  async untilReady(ready: (signal: AbortSignal) => Promise<void>): Promise<void> {
    const ended = new AbortController();
    void this.#ended.then(() => ended.abort());
    try {
      await Promise.race([
        ready(ended.signal),
        this.#ended.then(() => {
          throw new Error('the server ended');
        }),
      ]);
    } catch (cause) {
      await this.stop('SIGKILL');
      const said = readFileSync(this.#log, 'utf8').slice(-LOG_CHARACTERS_SHOWN);
      throw new Error(`${(cause as Error).message}; its log ends:\n${said}`, { cause });
    }
  }

  async stop(signal: NodeJS.Signals): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null || !this.#child.pid) return;
    this.#child.kill(signal);
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), STOP_MS_MAX);
    await this.#ended;
    clearTimeout(timer);
  }
}

/** Another process may take a free port before the server does; then the next is tried. */
const PORT_TRIES = 5;

/** Starts a server on a free port. @throws what the last try threw. */
export async function onFreePort<T>(start: (port: number) => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await start(await freePort());
    } catch (error) {
      const taken = /in use/i.test((error as Error).message);
      if (!taken || tries === PORT_TRIES) throw error;
    }
  }
}

/** A new directory below the system's temporary one, which any user may enter. */
export function temporaryDirectory(name: string): string {
  const directory = mkdtempSync(join(tmpdir(), `covey-test-${name}-`));
  chmodSync(directory, 0o755);
  return directory;
}
