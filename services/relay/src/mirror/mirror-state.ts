/** How far one account was read at one relay. All times are Unix seconds, by events' own `created_at`. */
export interface MirrorCursor {
  /** Everything from `floor` on was read; 0: everything. */
  floor: number;
  /** New events were last asked for at this time. */
  top: number;
}

export interface CursorRow extends MirrorCursor {
  pubkey: string;
  url: string;
  /** Of events taken in for this account from this relay. */
  bytes: number;
}

export interface FailedRelay {
  url: string;
  /** In a row. */
  failures: number;
  /** Unix seconds. */
  retryAt: number;
}

/** Where a mirror's state is kept. */
export interface MirrorRows {
  saveCursors(rows: readonly CursorRow[]): Promise<void>;
  /** Of these accounts. */
  forgetCursors(pubkeys: readonly string[]): Promise<void>;
  saveRelay(relay: FailedRelay): Promise<void>;
  forgetRelay(url: string): Promise<void>;
}

const BACKOFF_SECONDS_MIN = 60;
const BACKOFF_SECONDS_MAX = 86_400;

/**
 * What a mirror must not forget: cursors, what it took in, and which relays are dead. Kept in the member's own database,
 * read from memory: a few thousand accounts at three relays each.
 */
export class MirrorState {
  readonly #rows: MirrorRows;
  /** By account, then by relay. */
  readonly #cursors = new Map<string, Map<string, CursorRow>>();
  readonly #relays = new Map<string, FailedRelay>();
  #bytes = 0;
  /** Rises with every change of a cursor. */
  version = 0;

  constructor(rows: MirrorRows, cursors: Iterable<CursorRow>, relays: Iterable<FailedRelay>) {
    this.#rows = rows;
    for (const row of cursors) this.#note(row);
    for (const relay of relays) this.#relays.set(relay.url, relay);
  }

  #note(row: CursorRow): void {
    let ofAccount = this.#cursors.get(row.pubkey);
    if (!ofAccount) this.#cursors.set(row.pubkey, (ofAccount = new Map()));
    this.#bytes += row.bytes - (ofAccount.get(row.url)?.bytes ?? 0);
    ofAccount.set(row.url, row);
  }

  /** Accounts with a cursor. */
  get accounts(): IterableIterator<string> {
    return this.#cursors.keys();
  }

  /** What was taken in of these accounts no longer counts, and would be read again from the start. */
  async forget(pubkeys: readonly string[]): Promise<void> {
    await this.#rows.forgetCursors(pubkeys);
    for (const pubkey of pubkeys) {
      for (const { bytes } of this.#cursors.get(pubkey)?.values() ?? []) this.#bytes -= bytes;
      this.#cursors.delete(pubkey);
    }
    this.version++;
  }

  /** Bytes of events that were mirrored, of accounts that are not forgotten. */
  get bytes(): number {
    return this.#bytes;
  }

  cursor(pubkey: string, url: string): MirrorCursor | undefined {
    const row = this.#cursors.get(pubkey)?.get(url);
    return row && { floor: row.floor, top: row.top };
  }

  /** The time since when all that some relay of this account has is here; undefined when none was read yet. */
  since(pubkey: string): number | undefined {
    const ofAccount = this.#cursors.get(pubkey);
    return ofAccount && Math.min(...[...ofAccount.values()].map(({ floor }) => floor));
  }

  /** @param bytes taken in since the last call */
  async advance(
    pubkeys: readonly string[],
    url: string,
    change: Partial<MirrorCursor>,
    bytes: number,
  ): Promise<void> {
    const rows = pubkeys.map((pubkey, i): CursorRow => {
      const {
        floor,
        top,
        bytes: before,
      } = this.#cursors.get(pubkey)?.get(url) ?? { floor: 0, top: 0, bytes: 0 };
      return { pubkey, url, floor, top, ...change, bytes: before + (i === 0 ? bytes : 0) };
    });
    await this.#rows.saveCursors(rows);
    for (const row of rows) this.#note(row);
    this.version++;
  }

  /** When a relay may be tried again, Unix seconds; 0: now. */
  retryAt(url: string): number {
    return this.#relays.get(url)?.retryAt ?? 0;
  }

  /** Each failure in a row doubles the time until the next attempt, up to a day. */
  async failed(url: string, now: number): Promise<void> {
    const failures = (this.#relays.get(url)?.failures ?? 0) + 1;
    const wait = Math.min(BACKOFF_SECONDS_MAX, BACKOFF_SECONDS_MIN * 2 ** Math.min(20, failures - 1));
    const relay = { url, failures, retryAt: now + wait };
    await this.#rows.saveRelay(relay);
    this.#relays.set(url, relay);
  }

  async reached(url: string): Promise<void> {
    await this.#rows.forgetRelay(url);
    this.#relays.delete(url);
  }
}
