import {
  closeSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  openSync,
  readSync,
  renameSync,
  statSync,
  truncateSync,
} from 'node:fs';
import { join } from 'node:path';

const BYTES_MAX = 8 * 2 ** 20;
const OLD_FILES = 2;
const LOOK_EVERY_MS = 10_000;
const TAIL_BYTES = 16_384;

/**
 * Log files of the processes, bounded: when one grows past `bytesMax` it is copied to `<name>.log.1` (that to `.2`, and
 * no further) and emptied. A process writes to its file itself, so that what it says while its supervisor dies is kept;
 * a few lines written between copy and emptying may be lost.
 */
export class LogFiles {
  readonly #directory: string;
  readonly #bytesMax: number;
  readonly #names = new Set<string>();
  #timer: NodeJS.Timeout | undefined;

  constructor(directory: string, bytesMax = BYTES_MAX) {
    this.#directory = directory;
    this.#bytesMax = bytesMax;
  }

  start(): void {
    mkdirSync(this.#directory, { recursive: true, mode: 0o700 });
    this.#timer = setInterval(() => this.rotate(), LOOK_EVERY_MS).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  path(name: string): string {
    return join(this.#directory, `${name}.log`);
  }

  /** A file descriptor to append to; the caller closes it. */
  open(name: string): number {
    this.#names.add(name);
    return openSync(this.path(name), 'a', 0o600);
  }

  rotate(): void {
    for (const name of this.#names) {
      const path = this.path(name);
      if ((statSync(path, { throwIfNoEntry: false })?.size ?? 0) <= this.#bytesMax) continue;
      for (let n = OLD_FILES - 1; n >= 1; n--)
        if (existsSync(`${path}.${n}`)) renameSync(`${path}.${n}`, `${path}.${n + 1}`);
      copyFileSync(path, `${path}.1`);
      truncateSync(path); // writers append: the next line stands at the start
    }
  }

  /** The last lines of a process's log, for an error message. */
  tail(name: string, lines: number): string[] {
    const path = this.path(name);
    const size = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
    if (size === 0) return [];
    const buffer = Buffer.alloc(Math.min(size, TAIL_BYTES));
    const file = openSync(path, 'r');
    const read = readSync(file, buffer, 0, buffer.length, size - buffer.length);
    closeSync(file);
    return buffer.toString('utf8', 0, read).trimEnd().split('\n').slice(-lines);
  }
}
