import { type Filter, matchesFilter, type NostrEvent } from '@covey/nostr';
import type { StoredEvent } from './store/event-store.ts';
import { addressOf } from './store/keys.ts';

/** Order of an answer: newest first, then lowest id. */
export function byAge(a: StoredEvent, b: StoredEvent): number {
  return b.createdAt - a.createdAt || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0);
}

/** All of several lists, each event once, of one address the newest alone, in answering order. */
export function mergeEvents(lists: readonly (readonly StoredEvent[])[]): StoredEvent[] {
  if (lists.length === 1) return [...lists[0]!];
  const byId = new Map<string, StoredEvent>();
  const newest = new Map<string, StoredEvent>();
  for (const list of lists)
    for (const event of list) {
      byId.set(event.id, event);
      if (event.address === undefined) continue;
      const known = newest.get(event.address);
      if (!known || byAge(event, known) < 0) newest.set(event.address, event);
    }
  return [...byId.values()]
    .filter((event) => event.address === undefined || newest.get(event.address)!.id === event.id)
    .sort(byAge);
}

export function storedForm(event: NostrEvent): StoredEvent {
  return {
    id: event.id,
    createdAt: event.created_at,
    address: addressOf(event),
    json: JSON.stringify(event),
  };
}

/**
 * One answer for a subscription from what is stored here, filter by filter, and what other members sent for any of them.
 * Each filter's limit holds for the two together.
 * @param here for each filter, what is stored here
 * @returns `cut`: a limit left something out
 */
export function mergeAnswers(
  filters: readonly Filter[],
  here: readonly (readonly StoredEvent[])[],
  remote: readonly NostrEvent[],
  limitMax: number,
): { events: StoredEvent[]; cut: boolean } {
  if (remote.length === 0) return { events: mergeEvents(here), cut: false };
  let cut = false;
  const stored = remote.map((event) => ({ event, form: storedForm(event) }));
  const perFilter = filters.map((filter, i) => {
    const fitting = stored.filter(({ event }) => matchesFilter(filter, event)).map(({ form }) => form);
    const merged = mergeEvents([here[i]!, fitting]);
    const limit = Math.min(filter.limit ?? limitMax, limitMax);
    if (merged.length > limit) cut = true;
    return merged.slice(0, limit);
  });
  return { events: mergeEvents(perFilter), cut };
}
