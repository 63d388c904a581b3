import { isProtected } from '@covey/enforcement';
import { isEphemeral, type NostrEvent } from '@covey/nostr';
import type { PlacementTable } from '@covey/table';
import type { ExternalAccount } from './external-lists.ts';
import { ForeignRelay, ForeignRelayError } from './foreign-relay.ts';
import { isMastered, type MirrorPlan, mirrorPlan } from './mirror-plan.ts';
import type { MirrorState } from './mirror-state.ts';

/** Relays that are read at once; one connection each. */
const RELAYS_AT_ONCE = 4;
/** Accounts asked for new events in one REQ. */
const HEAD_ACCOUNTS = 50;
/** Accounts of one relay that a kept connection listens to; further ones are read by visits alone. */
const LIVE_ACCOUNTS_MAX = 1000;
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
  /** Bytes of events taken in, of all accounts that are mirrored. */
  bytesMax: number;
  eventsPerSecond: number;
  /** Between two visits to a relay. */
  pollMs: number;
  /** Relays that a connection is kept to, for what is new at once. */
  liveRelaysMax: number;
}

export interface MirrorOptions extends MirrorConfig {
  self: string;
  allowPrivate: boolean;
  state: MirrorState;
  table: () => PlacementTable | undefined;
  /** The relay lists that are stored here. */
  relayLists: () => Iterable<NostrEvent> | AsyncIterable<NostrEvent>;
  /** Accounts that the coordinator knows to be external. Never rejects. */
  external: (epoch: number) => Promise<readonly ExternalAccount[]>;
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
  /** New events that wait for their turn: no more than a second's. */
  #liveWaiting = 0;
  readonly #pauses = new Set<() => void>();
  readonly #open = new Set<ForeignRelay>();
  /** Connections that are kept, by URL, each with the accounts that it is asked for. */
  readonly #live = new Map<string, { relay: ForeignRelay; accounts: string }>();

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
    const hints = await this.#options.external(current.epoch);
    this.#plan = await mirrorPlan(current, self, relayLists(), hints, { accountsMax, allowPrivate });
    await this.#forgetOthers(current);
    for (const [url, { relay }] of this.#live) if (!this.#plan.byRelay.has(url)) relay.close();
    const now = Math.floor(clock() / 1000);
    // Those with most accounts first: they get the connections that are kept.
    const waiting = [...this.#plan.byRelay]
      .filter(([url]) => state.retryAt(url) <= now)
      .sort(([, a], [, b]) => b.length - a.length);
    const worker = async () => {
      for (let next = waiting.shift(); next && !this.#stopped; next = waiting.shift())
        await this.#visit(next[0], next[1]);
    };
    await Promise.all(Array.from({ length: RELAYS_AT_ONCE }, worker));
  }

  /** Accounts that this member is no longer the master of give back their room. What is stored goes by the table's rules. */
  async #forgetOthers(table: PlacementTable): Promise<void> {
    const { self, state } = this.#options;
    const own = table.memberIndex(self);
    const gone = [...state.accounts].filter((pubkey) => own === undefined || !isMastered(table, own, pubkey));
    if (gone.length > 0) await state.forget(gone);
  }

  async #visit(url: string, accounts: readonly string[]): Promise<void> {
    const { state, clock, log, allowPrivate } = this.#options;
    const now = Math.floor(clock() / 1000);
    const kept = this.#live.get(url)?.relay;
    let relay = kept?.isOpen ? kept : undefined;
    let isRead = false;
    try {
      relay ??= await ForeignRelay.open(url, allowPrivate);
      this.#open.add(relay);
      await this.#readNew(relay, url, accounts, now);
      await this.#readOld(relay, url, accounts);
      if (state.retryAt(url) !== 0) await state.reached(url);
      isRead = true;
    } catch (error) {
      if (error instanceof NoRoomError || this.#stopped) return;
      if (!(error instanceof ForeignRelayError)) throw error;
      log.debug({ url, error: error.message }, 'a relay could not be mirrored from');
      await state.failed(url, now);
    } finally {
      if (relay && !(isRead && this.#keep(relay, url, accounts))) {
        this.#open.delete(relay);
        relay.close();
      }
    }
  }

  /** Keeps the connection for what is new, when there is room. What it misses, the next visit brings. */
  #keep(relay: ForeignRelay, url: string, accounts: readonly string[]): boolean {
    const { liveRelaysMax, log } = this.#options;
    const authors = accounts.slice(0, LIVE_ACCOUNTS_MAX);
    const known = this.#live.get(url);
    if (this.#stopped || !relay.isOpen || (!known && this.#live.size >= liveRelaysMax)) return false;
    if (known?.relay === relay && known.accounts === authors.join()) return true;
    if (known?.relay === relay) return false; // other accounts: the next visit opens it anew
    const kept = { relay, accounts: authors.join() };
    this.#live.set(url, kept);
    relay.listen(
      { authors, tags: {} },
      (event) => void this.#takeLive(event, url),
      () => {
        this.#open.delete(relay);
        if (this.#live.get(url) === kept) this.#live.delete(url);
        relay.close();
      },
    );
    log.debug({ url, accounts: authors.length }, 'listening to a relay that is mirrored from');
    return true;
  }

  /** @throws nothing: what can't be taken now comes with the next visit */
  async #takeLive(event: NostrEvent, url: string): Promise<void> {
    const { state, eventsPerSecond, log } = this.#options;
    if (this.#liveWaiting >= eventsPerSecond) return;
    this.#liveWaiting++;
    try {
      const bytes = await this.#take([event]);
      if (bytes > 0 && state.cursor(event.pubkey, url)) await state.advance([event.pubkey], url, {}, bytes);
    } catch (error) {
      if (!(error instanceof NoRoomError)) log.info({ error: String(error) }, 'a new event was not mirrored');
    } finally {
      this.#liveWaiting--;
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
