import type { Enforcer } from '@covey/enforcement';
import type { NostrEvent } from '@covey/nostr';
import type { EventStore } from '../store/event-store.ts';
import type { MemberLinks } from './member-links.ts';

const AUTHORS_BATCH = 200;
const CONFIRM_IDS = 100;
const ANSWER_MS = 10_000;
/** Holders that must have an event before it goes from here, or all when there are fewer. */
const HOLDERS_MIN = 2;

export interface DeparturesOptions {
  store: EventStore;
  links: MemberLinks;
  /** Unix milliseconds. */
  clock: () => number;
  /** Time for which readers of an older table may still come. */
  graceMs: number;
}

/**
 * What is no longer placed here leaves: of an account that was handed over and whose grace is over, each event that two of
 * the new holders have. What they lack is handed over again and stays; so does what is here for somebody it tags.
 */
export class Departures {
  readonly #options: DeparturesOptions;

  constructor(options: DeparturesOptions) {
    this.#options = options;
  }

  /** @returns how many events left */
  async run(enforcer: Enforcer, isCurrent: () => boolean): Promise<number> {
    const { store, clock, graceMs } = this.#options;
    let left = 0;
    for (let last = ''; isCurrent(); ) {
      const authors = await store.authors(last, AUTHORS_BATCH);
      if (authors.length === 0) break;
      last = authors.at(-1)!;
      for (const author of authors) {
        const atMs = (await store.handedOver(author))?.atMs;
        if (atMs === undefined || clock() - atMs < graceMs || !isCurrent()) continue;
        const account = { kind: 1, pubkey: author, tags: [] };
        if (enforcer.holds(account)) continue;
        const members = enforcer.table?.members ?? [];
        left += await this.#author(
          author,
          enforcer.othersOf(account).map((index) => members[index]!.id),
          enforcer,
        );
      }
    }
    return left;
  }

  async #author(author: string, holders: readonly string[], enforcer: Enforcer): Promise<number> {
    const { store } = this.#options;
    const events = store.eventsIn({ index: 'author', pubkey: Buffer.from(author, 'hex') });
    let left = 0;
    let batch: NostrEvent[] = [];
    const settle = async () => {
      const confirmed = await this.#confirmed(batch, holders);
      const missing = batch.filter(({ id }) => !confirmed.has(id));
      if (missing.length > 0) await store.handOver(missing, holders);
      left += await store.removeIds([...confirmed]);
      batch = [];
    };
    const all: NostrEvent[] = [];
    for await (const event of events) all.push(event);
    for (const event of all) {
      // Protected events only their author may bring anywhere: they stay.
      if (enforcer.keeps(event) || event.tags.some(([name]) => name === '-')) continue;
      if (batch.push(event) === CONFIRM_IDS) await settle();
    }
    if (batch.length > 0) await settle();
    return left;
  }

  /** Ids that enough of the holders have. */
  async #confirmed(events: readonly NostrEvent[], holders: readonly string[]): Promise<Set<string>> {
    const { links } = this.#options;
    const counts = new Map<string, number>();
    const needed = Math.min(HOLDERS_MIN, holders.length);
    const ids = events.map(({ id }) => id);
    for (const holder of holders) {
      const open = ids.filter((id) => (counts.get(id) ?? 0) < needed);
      if (open.length === 0) break;
      try {
        const answer = await links
          .get(holder)
          ?.fetch([{ ids: open, limit: open.length, tags: {} }], ANSWER_MS);
        const found = new Set(answer?.events.map((event) => (event as { id?: unknown } | null)?.id));
        for (const id of open) if (found.has(id)) counts.set(id, (counts.get(id) ?? 0) + 1);
      } catch {
        // Out of reach: the others may be enough, else the events stay until the next time.
      }
    }
    return new Set(needed > 0 ? ids.filter((id) => (counts.get(id) ?? 0) >= needed) : []);
  }
}
