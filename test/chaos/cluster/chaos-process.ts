import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';

export interface ProcessSpec {
  name: string;
  command: string;
  args: readonly string[];
  options?: SpawnOptions;
  log: string;
  /** Resolves when it serves. */
  ready: () => Promise<unknown>;
}

/** Ends every child of this process when it ends in an orderly way, or by Ctrl-C. */
const running = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(130));

/** A process that is killed, paused and started again. */
export class ChaosProcess {
  readonly spec: ProcessSpec;
  #child: ChildProcess | undefined;
  #paused = false;

  constructor(spec: ProcessSpec) {
    this.spec = spec;
  }

  get up(): boolean {
    return this.#child !== undefined && !this.#paused;
  }

  /** @throws Error with the end of its log when it does not get ready. */
  async start(): Promise<void> {
    const { command, args, options, log, ready, name } = this.spec;
    const output = openSync(log, 'a');
    const child = spawn(command, args, { ...options, stdio: ['ignore', output, output] });
    closeSync(output);
    this.#child = child;
    running.add(child);
    const ended = new Promise<never>((_, reject) => {
      child.once('exit', (code, signal) => {
        running.delete(child);
        if (this.#child === child) this.#child = undefined;
        reject(new Error(`${name} ended (${code ?? signal})`));
      });
      child.once('error', reject);
    });
    ended.catch(() => {});
    try {
      await Promise.race([ready(), ended]);
    } catch (cause) {
      throw new Error(`${name} did not get ready; its log ends:\n${this.logTail()}`, { cause });
    }
  }

  pause(): void {
    this.#paused = this.#child?.kill('SIGSTOP') ?? false;
  }

  resume(): void {
    this.#child?.kill('SIGCONT');
    this.#paused = false;
  }

  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    this.#paused = false;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const exit = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGCONT');
    child.kill(signal);
    await exit;
  }

  logTail(): string {
    return readFileSync(this.spec.log, 'utf8').slice(-2000);
  }
}
