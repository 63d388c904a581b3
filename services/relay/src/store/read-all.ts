import type { Filter, NegentropyItem } from '@covey/nostr';
import type { Asking, CountOptions, CountResult, EventStore } from './event-store.ts';

/** Events read before the event loop gets a turn, when all that fit are asked for. */
const SNAPSHOT_PAGE = 2000;

/** Counts different events that fit any of the filters, by reading them. */
export async function countMatching(
  store: Pick<EventStore, 'query'>,
  filters: readonly Filter[],
  { now, mayRead, rowsMax, each }: CountOptions,
): Promise<CountResult> {
  const seen = new Set<string>();
  let exact = true;
  for (const { limit: _, ...filter } of filters) {
    const { events, complete } = await store.query(filter, {
      limitMax: rowsMax,
      bytesMax: Number.MAX_SAFE_INTEGER,
      now,
      mayRead,
    });
    for (const event of events) {
      seen.add(event.id);
      each?.(event);
    }
    exact &&= complete;
  }
  return { count: seen.size, exact };
}

/** Id and time of everything that fits, page by page from the newest; undefined when there is more than `itemsMax`. */
export async function itemsMatching(
  store: Pick<EventStore, 'query'>,
  filter: Filter,
  { now, mayRead, itemsMax }: Asking & { itemsMax: number },
): Promise<NegentropyItem[] | undefined> {
  const items: NegentropyItem[] = [];
  const wanted = Math.min(filter.limit ?? Number.MAX_SAFE_INTEGER, itemsMax + 1);
  const seen = new Set<string>();
  let until = filter.until;
  for (let page = SNAPSHOT_PAGE; ; ) {
    const { events, complete } = await store.query(
      { ...filter, limit: page, ...(until === undefined ? {} : { until }) },
      { limitMax: page, bytesMax: Number.MAX_SAFE_INTEGER, now, mayRead },
    );
    let fresh = 0;
    for (const { id, createdAt } of events) {
      if (seen.has(id) || items.length >= wanted) continue;
      seen.add(id);
      items.push({ id, createdAt });
      fresh++;
    }
    if (items.length >= wanted || complete) break;
    const last = events[events.length - 1];
    // A query that found nothing new within its bounds can't go on: its answer would have a hole.
    if (!last || (fresh === 0 && events.length < page)) return undefined;
    if (fresh === 0) page *= 4; // more events in one second than a page holds
    until = last.createdAt;
    await new Promise((resolve) => setImmediate(resolve));
  }
  return items.length > itemsMax ? undefined : items;
}
