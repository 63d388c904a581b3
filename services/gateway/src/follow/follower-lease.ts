import { randomBytes } from 'node:crypto';
import { readFileSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export const RENEW_MS = 5000;
/** A lease that nobody has renewed for so long is free. */
export const STALE_MS = 3 * RENEW_MS;

/**
 * Who writes to the folder of the cached table, when several processes could: strfry starts a plugin for the relay and one
 * for each `sync`, `stream` and `router`. A file whose date its holder keeps fresh. Two may hold it for one renewal when
 * both find it stale at once; that wastes a download and damages nothing, for what is cached is checked when it is read.
 */
export class FollowerLease {
  readonly #path: string;
  readonly #mine = randomBytes(16).toString('hex');
  readonly #clock: () => number;

  /** @param clock Unix milliseconds */
  constructor(dir: string, clock: () => number) {
    this.#path = join(dir, 'follower.lease');
    this.#clock = clock;
  }

  /** Takes the lease if it is free, renews it if it is ours. Whether this process holds it. @throws when the folder can't be written */
  hold(): boolean {
    const now = this.#clock();
    const stats = statSync(this.#path, { throwIfNoEntry: false });
    if (stats && this.#isMine()) {
      utimesSync(this.#path, now / 1000, now / 1000);
      return true;
    }
    if (stats && Math.abs(now - stats.mtimeMs) < STALE_MS) return false;
    const draft = `${this.#path}.${this.#mine}`;
    writeFileSync(draft, this.#mine);
    utimesSync(draft, now / 1000, now / 1000);
    renameSync(draft, this.#path);
    return true;
  }

  release(): void {
    if (this.#isMine()) rmSync(this.#path, { force: true });
  }

  #isMine(): boolean {
    try {
      return readFileSync(this.#path, 'utf8') === this.#mine;
    } catch {
      return false;
    }
  }
}
