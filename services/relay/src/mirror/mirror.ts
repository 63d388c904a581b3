import { isProtected } from '@covey/enforcement';
import { isEphemeral, type NostrEvent } from '@covey/nostr';
import type { PlacementTable } from '@covey/table';
import { ForeignRelay, ForeignRelayError } from './foreign-relay.ts';
import { type MirrorPlan, mirrorPlan } from './mirror-plan.ts';
import type { MirrorState } from './mirror-state.ts';

/** Relays that are read at once; one connection each. */
const RELAYS_AT_ONCE = 4;
/** Accounts asked for new events in one REQ. */
const HEAD_ACCOUNTS = 50;
const PAGE_EVENTS = 100;
/** Pages of older events that one visit to a relay reads. */
const PAGES_A_VISIT = 20;
/** New events are asked for from this long before the last time: clocks differ, and events arrive late. */
const OVERLAP_SECONDS = 900;
/** How long a list of what is mirrored may be out of date. */
const TOLD_MS = 1000;

/** What the operator allows. */
export interface MirrorConfig {
  accountsMax: number;
  /** Bytes of events taken in, ever. */
  bytesMax: number;
  eventsPerSecond: number;
  /** Between two visits to a relay. */
  pollMs: number;
}

export interface MirrorOptions extends MirrorConfig {
  self: string;
  allowPrivate: boolean;
  state: MirrorState;
  table: () => PlacementTable | undefined;
  /** The relay lists that are stored here. */
  relayLists: () => Iterable<NostrEvent> | AsyncIterable<NostrEvent>;
  /** Verifies, stores and replicates an event as if its author had sent it. `later`: it could not be stored now. */
  store: (event: NostrEvent) => Promise<'taken' | 'refused' | 'later'>;
  onMirrored: (events: number) => void;
  /** Unix milliseconds. */
  clock: () => number;
  log: { info(fields: object, text: string): void; debug(fields: object, text: string): void };
}

/** An account with the Unix second since when all that one of its relays has is here; 0: everything. */
export interface MirroredAccount {
  pubkey: string;
  since: number;
}

/** There is no room now: what was asked for is asked for again at the next visit. */
class NoRoomError extends Error {
  override name = 'NoRoomError';
}

/**
 * Brings the events of external accounts here from the relays where they write, newest first, politely: within what the
 * operator allows, one connection a relay, dead relays less and less often. Goes on where it stopped after a restart.
 */
export class Mirror {
  readonly #options: MirrorOptions;
  #plan: MirrorPlan = { accounts: new Set(), byRelay: new Map() };
  #timer: NodeJS.Timeout | undefined;
  #round: Promise<void> | undefined;
  #told: { list: readonly MirroredAccount[]; plan: MirrorPlan; version: number; atMs: number } = {
    list: [],
    plan: this.#plan,
    version: 0,
    atMs: 0,
  };
  #stopped = false;
  #paceUntilMs = 0;
  readonly #pauses = new Set<() => void>();
  readonly #open = new Set<ForeignRelay>();

  constructor(options: MirrorOptions) {
    this.#options = options;
  }

  /** Accounts that are mirrored. The same list while nothing has changed, and for up to a second after. */
  mirrored(): readonly MirroredAccount[] {
    const { state, clock } = this.#options;
    const { plan, version, atMs } = this.#told;
    const isOld = version !== state.version && Math.abs(clock() - atMs) >= TOLD_MS;
    if (plan === this.#plan && !isOld) return this.#told.list;
    const list = [...this.#plan.accounts].flatMap((pubkey) => {
      const since = state.since(pubkey);
      return since === undefined ? [] : [{ pubkey, since }];
    });
    this.#told = { list, plan: this.#plan, version: state.version, atMs: clock() };
    return list;
  }

  /** A round begins now, unless one is under way: at the start, and under a new table. */
  wake(): void {
    if (this.#stopped || this.#round) return;
    clearTimeout(this.#timer);
    this.#round = this.#run()
      .catch((error) => this.#options.log.info({ error: String(error) }, 'mirroring failed; trying again'))
      .finally(() => {
        this.#round = undefined;
        if (this.#stopped) return;
        this.#timer = setTimeout(() => this.wake(), this.#options.pollMs);
        this.#timer.unref();
      });
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    for (const end of this.#pauses) end();
    for (const relay of this.#open) relay.close();
    await this.#round;
  }

  async #run(): Promise<void> {
    const { table, self, relayLists, accountsMax, allowPrivate, state, clock } = this.#options;
    const current = table();
    if (!current) return;
    this.#plan = await mirrorPlan(current, self, relayLists(), { accountsMax, allowPrivate });
    const now = Math.floor(clock() / 1000);
    const waiting = [...this.#plan.byRelay].filter(([url]) => state.retryAt(url) <= now);
    const worker = async () => {
      for (let next = waiting.shift(); next && !this.#stopped; next = waiting.shift())
        await this.#visit(next[0], next[1]);
    };
    await Promise.all(Array.from({ length: RELAYS_AT_ONCE }, worker));
  }

  async #visit(url: string, accounts: readonly string[]): Promise<void> {
    const { state, clock, log, allowPrivate } = this.#options;
    const now = Math.floor(clock() / 1000);
    let relay: ForeignRelay | undefined;
    try {
      relay = await ForeignRelay.open(url, allowPrivate);
      this.#open.add(relay);
      await this.#readNew(relay, url, accounts, now);
      await this.#readOld(relay, url, accounts);
      if (state.retryAt(url) !== 0) await state.reached(url);
    } catch (error) {
      if (error instanceof NoRoomError || this.#stopped) return;
      if (!(error instanceof ForeignRelayError)) throw error;
      log.debug({ url, error: error.message }, 'a relay could not be mirrored from');
      await state.failed(url, now);
    } finally {
      if (relay) this.#open.delete(relay);
      relay?.close();
    }
  }

  /** What was written since the last visit, of all accounts that were read before. */
  async #readNew(relay: ForeignRelay, url: string, accounts: readonly string[], now: number): Promise<void> {
    const { state } = this.#options;
    const known = accounts.filter((account) => state.cursor(account, url));
    for (let i = 0; i < known.length && !this.#stopped; i += HEAD_ACCOUNTS) {
      const authors = known.slice(i, i + HEAD_ACCOUNTS);
      const since = Math.min(...authors.map((author) => state.cursor(author, url)!.top)) - OVERLAP_SECONDS;
      let bytes = 0;
      for (let until = now + OVERLAP_SECONDS; until >= since; ) {
        const events = await relay.read({ authors, since, until, limit: PAGE_EVENTS, tags: {} });
        bytes += await this.#take(events);
        if (events.length === 0) break;
        until = before(events, until);
      }
      await state.advance(authors, url, { top: now }, bytes);
    }
  }

  /** Older events, newest first, a page of each account in turn. */
  async #readOld(relay: ForeignRelay, url: string, accounts: readonly string[]): Promise<void> {
    const { state, clock } = this.#options;
    const line = accounts.filter((account) => state.cursor(account, url)?.floor !== 0);
    for (let pages = 0; line.length > 0 && pages < PAGES_A_VISIT && !this.#stopped; pages++) {
      const account = line.shift()!;
      const cursor = state.cursor(account, url);
      const now = Math.floor(clock() / 1000);
      const until = cursor?.floor ?? now + OVERLAP_SECONDS;
      const events = await relay.read({ authors: [account], until, limit: PAGE_EVENTS, tags: {} });
      const bytes = await this.#take(events);
      const floor = events.length === 0 ? 0 : Math.max(0, before(events, until));
      await state.advance([account], url, cursor ? { floor } : { floor, top: now }, bytes);
      if (floor > 0) line.push(account);
    }
  }

  /** Stores a page. @returns its new bytes @throws NoRoomError when it could not be stored, or may not */
  async #take(events: readonly NostrEvent[]): Promise<number> {
    const { store, state, bytesMax, onMirrored } = this.#options;
    const wanted = events.filter((event) => !isEphemeral(event.kind) && !isProtected(event));
    if (wanted.length > 0 && state.bytes >= bytesMax)
      throw new NoRoomError(`${bytesMax} bytes were mirrored, which is all that is allowed`);
    await this.#pace(events.length);
    if (this.#stopped) throw new NoRoomError('stopping');
    const answers = await Promise.all(wanted.map(store));
    if (answers.includes('later')) throw new NoRoomError('the store has no room now');
    const taken = wanted.filter((_, i) => answers[i] === 'taken');
    onMirrored(taken.length);
    return taken.reduce((sum, event) => sum + JSON.stringify(event).length, 0);
  }

  /** Keeps to the events a second that are allowed, over all relays. */
  async #pace(events: number): Promise<void> {
    const { clock, eventsPerSecond } = this.#options;
    const now = clock();
    const waitMs = Math.max(0, this.#paceUntilMs - now);
    this.#paceUntilMs = Math.max(now, this.#paceUntilMs) + (events * 1000) / eventsPerSecond;
    if (waitMs === 0) return;
    await new Promise<void>((resolve) => {
      const end = () => {
        clearTimeout(timer);
        this.#pauses.delete(end);
        resolve();
      };
      const timer = setTimeout(end, waitMs);
      this.#pauses.add(end);
    });
  }
}

/** `until` of the next page: the oldest second again, as more may lie in it, unless the page was all of that second. */
function before(events: readonly NostrEvent[], until: number): number {
  const oldest = events.reduce((least, event) => Math.min(least, event.created_at), until);
  return oldest < until ? oldest : oldest - 1;
}
