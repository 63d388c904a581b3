import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { ReaperMessage, Ward } from './reaper-protocol.ts';

const REAPER = fileURLToPath(new URL('reaper.ts', import.meta.url));
const RESPAWN_MS = 200;

/** Keeps a reaper process (reaper.ts) and what it must know; a reaper that dies is replaced and told everything again. */
export class ReaperClient {
  readonly #wards = new Map<number, Ward>();
  #child: ChildProcess | undefined;
  #closed = false;
  #respawn: NodeJS.Timeout | undefined;
  readonly #onRespawn: () => void;

  /** @param onRespawn called when another reaper has taken the place of one that died. */
  constructor(onRespawn: () => void = () => {}) {
    this.#onRespawn = onRespawn;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  get wards(): Ward[] {
    return [...this.#wards.values()];
  }

  start(): void {
    const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', REAPER], {
      stdio: ['pipe', 'ignore', 'ignore'],
      detached: true,
      cwd: '/',
    });
    this.#child = child;
    child.stdin!.on('error', () => {}); // it died: 'exit' follows
    child.on('error', () => this.#again());
    child.on('exit', () => this.#again());
    for (const ward of this.#wards.values()) this.#tell({ watch: ward });
    // Neither the reaper nor its pipe keeps this process alive.
    child.unref();
    (child.stdin as unknown as { unref?(): void }).unref?.();
  }

  watch(ward: Ward): void {
    this.#wards.set(ward.pid, ward);
    this.#tell({ watch: ward });
  }

  forget(pid: number): void {
    if (this.#wards.delete(pid)) this.#tell({ forget: pid });
  }

  /** Lets the reaper end, and with it whatever it still watches. Resolves when it has ended. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#respawn);
    const child = this.#child;
    if (!child?.pid || child.exitCode !== null || child.signalCode !== null) return;
    child.ref();
    const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
    child.stdin!.end();
    await ended;
  }

  #again(): void {
    if (this.#closed) return;
    clearTimeout(this.#respawn);
    this.#respawn = setTimeout(() => {
      this.start();
      this.#onRespawn();
    }, RESPAWN_MS).unref();
  }

  #tell(message: ReaperMessage): void {
    if (this.#child?.stdin?.writable) this.#child.stdin.write(`${JSON.stringify(message)}\n`);
  }
}
