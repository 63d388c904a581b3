import { type Enforcer, isPlacedByTagged, isProtected, PLACED_BY_TAGGED } from '@covey/enforcement';
import { isEphemeral, KIND, type NostrEvent } from '@covey/nostr';
import type { EventStore } from '../store/event-store.ts';
import type { Spool } from '../store/spool.ts';

const AUTHORS_BATCH = 500;
const EVENTS_BATCH = 256;
const NO_AUTHOR = '';
/** What an account wrote within this time before it left by all phases is handed over nevertheless: some 1,000 events. */
const LATE_SECONDS = 86_400;

export interface HandOverOptions {
  store: EventStore;
  spool: Spool;
  /** Accounts are handed to a member while no more than this waits for it: forwarded writes need room as well. */
  roomMax: number;
  /** Unix milliseconds. */
  clock: () => number;
}

export interface HandOverResult {
  accounts: number;
  events: number;
  /** Accounts that have to wait until there is room. */
  postponed: number;
}

/**
 * Under a new table, what is stored here of accounts that live elsewhere now goes to those who hold them, deletions first:
 * a new holder must not answer from an empty store. Each account goes once to each set of holders; they know what they have
 * already. Copies here stay: readers of an older table may still come. Protected events stay with their authors.
 */
export class HandOver {
  readonly #options: HandOverOptions;

  constructor(options: HandOverOptions) {
    this.#options = options;
  }

  /** @param isCurrent false when a newer table has come, or the member stops: the rest is left to the next run */
  async run(enforcer: Enforcer, isCurrent: () => boolean): Promise<HandOverResult> {
    const result: HandOverResult = { accounts: 0, events: 0, postponed: 0 };
    for (let last = NO_AUTHOR; isCurrent(); await turn()) {
      const authors = await this.#options.store.authors(last, AUTHORS_BATCH);
      if (authors.length === 0) break;
      last = authors.at(-1)!;
      for (const author of authors) if (isCurrent()) await this.#author(author, enforcer, result);
    }
    for (const kind of PLACED_BY_TAGGED)
      if (!isEphemeral(kind)) await this.#placedByTagged(kind, enforcer, isCurrent, result);
    return result;
  }

  async #author(author: string, enforcer: Enforcer, result: HandOverResult): Promise<void> {
    const { store } = this.#options;
    const to = this.#destinations({ kind: 1, pubkey: author, tags: [] }, enforcer);
    const mark = { key: author, destinations: to.join() };
    const before = await store.handedOver(author);
    if ((before?.destinations ?? '') === mark.destinations) return;
    if (to.length === 0) {
      await store.handOver([], [], mark); // it lives here again
      return;
    }
    if (!this.#hasRoom(to)) {
      result.postponed++;
      return;
    }
    const pubkey = Buffer.from(author, 'hex');
    if (enforcer.leaves({ kind: 1, pubkey: author, tags: [] })) {
      // Its new holders filled themselves from here: only what came late may be missing there.
      const since = Math.floor(this.#options.clock() / 1000) - LATE_SECONDS;
      result.events += await this.#copy(store.eventsIn({ index: 'author', pubkey }), to, since);
      result.accounts++;
      await store.handOver([], [], mark);
      return;
    }
    let events = await this.#copy(store.eventsIn({ index: 'author-kind', pubkey, kind: KIND.deletion }), to);
    events += await this.#copy(store.eventsIn({ index: 'author', pubkey }), to);
    if (events === 0) return; // only such as are placed by whom they are for
    await store.handOver([], [], mark);
    result.accounts++;
    result.events += events;
  }

  async #copy(
    events: Iterable<NostrEvent> | AsyncIterable<NostrEvent>,
    to: readonly string[],
    since = 0,
  ): Promise<number> {
    let copied = 0;
    let batch: NostrEvent[] = [];
    for await (const event of events) {
      if (event.created_at < since) break; // newest first
      if (isPlacedByTagged(event.kind) || isProtected(event)) continue;
      batch.push(event);
      copied++;
      if (batch.length < EVENTS_BATCH) continue;
      await this.#options.store.handOver(batch, to);
      batch = [];
    }
    if (batch.length > 0) await this.#options.store.handOver(batch, to);
    return copied;
  }

  /** Gift wraps and the like move one by one: their authors say nothing of where they live. */
  async #placedByTagged(
    kind: number,
    enforcer: Enforcer,
    isCurrent: () => boolean,
    result: HandOverResult,
  ): Promise<void> {
    const { store } = this.#options;
    let passed = 0;
    for await (const event of store.eventsIn({ index: 'kind', kind })) {
      if (!isCurrent()) return;
      if (++passed % EVENTS_BATCH === 0) await turn();
      const to = this.#destinations(event, enforcer);
      const mark = { key: event.id, destinations: to.join() };
      const before = (await store.handedOver(event.id))?.destinations ?? '';
      if (before === mark.destinations || isProtected(event)) continue;
      if (to.length > 0 && !this.#hasRoom(to)) {
        result.postponed++;
        continue;
      }
      await store.handOver(to.length > 0 ? [event] : [], to, mark);
      result.events += to.length > 0 ? 1 : 0;
    }
  }

  /** Who must get what is placed like this; nobody while it is held here. */
  #destinations(event: Pick<NostrEvent, 'kind' | 'pubkey' | 'tags'>, enforcer: Enforcer): string[] {
    if (enforcer.holds(event)) return [];
    const members = enforcer.table?.members ?? [];
    // The table's holders alone: who is appointed for a while fills itself, and deaths must not begin it all anew.
    // Sorted: the same members in another order are the same destinations.
    return enforcer.byTable
      .othersOf(event)
      .map((index) => members[index]!.id)
      .sort();
  }

  #hasRoom(members: readonly string[]): boolean {
    return members.every((member) => this.#options.spool.waitingFor(member) < this.#options.roomMax);
  }
}

/** Lets everything else run. */
function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
