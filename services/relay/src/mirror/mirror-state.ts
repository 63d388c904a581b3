import type { DatabaseSync } from 'node:sqlite';
import type { CommitQueue } from '../store/commit-queue.ts';

/** How far one account was read at one relay. All times are Unix seconds, by events' own `created_at`. */
export interface MirrorCursor {
  /** Everything from `floor` on was read; 0: everything. */
  floor: number;
  /** New events were last asked for at this time. */
  top: number;
}

const BACKOFF_SECONDS_MIN = 60;
const BACKOFF_SECONDS_MAX = 86_400;

/** What a mirror must not forget: cursors, what it took in, and which relays are dead. In the member's own database. */
export class MirrorState {
  readonly #db: DatabaseSync;
  readonly #commits: CommitQueue;
  #bytes: number;
  /** Rises with every change of a cursor. */
  version = 0;

  constructor(db: DatabaseSync, commits: CommitQueue) {
    this.#db = db;
    this.#commits = commits;
    const row = db.prepare('SELECT coalesce(sum(bytes), 0) AS n FROM mirror_cursors').get();
    this.#bytes = Number(row!['n']);
  }

  /** Bytes of events that were mirrored, ever. */
  get bytes(): number {
    return this.#bytes;
  }

  cursor(pubkey: string, url: string): MirrorCursor | undefined {
    const row = this.#db
      .prepare('SELECT floor, top FROM mirror_cursors WHERE pubkey = ? AND url = ?')
      .get(Buffer.from(pubkey, 'hex'), url);
    return row && { floor: Number(row['floor']), top: Number(row['top']) };
  }

  /** The time since when all that some relay of this account has is here; undefined when none was read yet. */
  since(pubkey: string): number | undefined {
    const row = this.#db
      .prepare('SELECT min(floor) AS floor FROM mirror_cursors WHERE pubkey = ?')
      .get(Buffer.from(pubkey, 'hex'));
    return row?.['floor'] === null || row === undefined ? undefined : Number(row['floor']);
  }

  /** @param bytes taken in since the last call */
  async advance(
    pubkeys: readonly string[],
    url: string,
    { floor, top }: Partial<MirrorCursor>,
    bytes: number,
  ): Promise<void> {
    await this.#commits.run(() => {
      pubkeys.forEach((pubkey, i) => {
        this.#db
          .prepare(
            `INSERT INTO mirror_cursors (pubkey, url, floor, top, bytes) VALUES (?1, ?2, coalesce(?3, 0), coalesce(?4, 0), ?5)
             ON CONFLICT DO UPDATE SET floor = coalesce(?3, floor), top = coalesce(?4, top), bytes = bytes + ?5`,
          )
          .run(Buffer.from(pubkey, 'hex'), url, floor ?? null, top ?? null, i === 0 ? bytes : 0);
      });
    });
    this.#bytes += bytes;
    this.version++;
  }

  /** When a relay may be tried again, Unix seconds; 0: now. */
  retryAt(url: string): number {
    const row = this.#db.prepare('SELECT retry_at FROM mirror_relays WHERE url = ?').get(url);
    return Number(row?.['retry_at'] ?? 0);
  }

  /** Each failure in a row doubles the time until the next attempt, up to a day. */
  async failed(url: string, now: number): Promise<void> {
    await this.#commits.run(() => {
      const row = this.#db.prepare('SELECT failures FROM mirror_relays WHERE url = ?').get(url);
      const failures = Number(row?.['failures'] ?? 0) + 1;
      const wait = Math.min(BACKOFF_SECONDS_MAX, BACKOFF_SECONDS_MIN * 2 ** Math.min(20, failures - 1));
      this.#db
        .prepare('INSERT OR REPLACE INTO mirror_relays (url, failures, retry_at) VALUES (?, ?, ?)')
        .run(url, failures, now + wait);
    });
  }

  async reached(url: string): Promise<void> {
    await this.#commits.run(() => this.#db.prepare('DELETE FROM mirror_relays WHERE url = ?').run(url));
  }
}
