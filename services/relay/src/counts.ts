import type { Enforcer } from '@covey/enforcement';
import type { Filter } from '@covey/nostr';
import type { Limits } from './limits.ts';
import type { MemberLinks } from './members/member-links.ts';
import { RemoteFeed, remoteParts } from './members/remote-feed.ts';
import type { Upstreams } from './members/upstreams.ts';
import type { EventStore } from './store/event-store.ts';

export interface CountsOptions {
  store: EventStore;
  links: MemberLinks;
  upstreams: Upstreams;
  enforcer: () => Enforcer;
  limits: Limits;
  /** Unix milliseconds. */
  clock: () => number;
}

export interface CountAnswer {
  count: number;
  /** There are, or may be, more. */
  approximate?: true;
}

/**
 * Answers COUNT (NIP-45): different events here and at the members that hold what the filters name. What is held elsewhere
 * is counted by reading it, so that an event that lives at several members counts once; over the bounds of a read the
 * answer says that it is approximate.
 */
export class Counts {
  readonly #options: CountsOptions;

  constructor(options: CountsOptions) {
    this.#options = options;
  }

  /** @param hereOnly another member asks @throws StoreError */
  async count(
    filters: readonly Filter[],
    hereOnly: boolean,
    mayRead: ((json: string) => boolean) | undefined,
  ): Promise<CountAnswer> {
    const { store, enforcer, limits, clock, links, upstreams } = this.#options;
    const { parts, open } = hereOnly ? { parts: [], open: false } : remoteParts(enforcer(), filters);
    const now = Math.floor(clock() / 1000);
    if (parts.length === 0) {
      const { count, exact } = await store.count(filters, { now, mayRead, rowsMax: limits.countRowsMax });
      return exact && !open ? { count } : { count, approximate: true };
    }
    const unlimited = parts.map((part) => ({ ...part, filter: { ...part.filter, limit: limits.limitMax } }));
    const feed = new RemoteFeed(unlimited, { links, upstreams, clock, onEvent: () => {} });
    const { events, complete } = await feed.read(limits.remoteReadMs).finally(() => feed.close());
    const ids = new Set(
      events.filter((event) => mayRead?.(JSON.stringify(event)) !== false).map(({ id }) => id),
    );
    let exact = complete === true && !open;
    for (const { limit: _, ...filter } of filters) {
      const bytesMax = Number.MAX_SAFE_INTEGER;
      const here = await store.query(filter, { limitMax: limits.countRowsMax, bytesMax, now, mayRead });
      for (const { id } of here.events) ids.add(id);
      exact &&= here.complete;
    }
    return exact ? { count: ids.size } : { count: ids.size, approximate: true };
  }
}
