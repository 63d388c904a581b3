import type { Enforcer } from '@covey/enforcement';
import { type Filter, HyperLogLog, hyperLogLogOffset } from '@covey/nostr';
import type { Limits } from './limits.ts';
import type { MemberLinks } from './members/member-links.ts';
import { RemoteFeed, type RemotePart, remoteParts } from './members/remote-feed.ts';
import type { Upstreams } from './members/upstreams.ts';
import { authorOf } from './store/answer.ts';
import type { EventStore } from './store/event-store.ts';

export interface CountsOptions {
  store: EventStore;
  links: MemberLinks;
  upstreams: Upstreams;
  enforcer: () => Enforcer;
  limits: Limits;
  /** Kinds that only those may read whom an event is for. */
  authKinds: ReadonlySet<number>;
  /** Unix milliseconds. */
  clock: () => number;
}

export interface CountAnswer {
  count: number;
  /** There are, or may be, more. */
  approximate?: true;
  /** NIP-45's registers: how many different authors, to be merged with what other relays counted. */
  hll?: string;
}

/**
 * Answers COUNT (NIP-45): different events here and at the members that hold what the filters name. What is held elsewhere
 * is counted by reading it, so that an event that lives at several members counts once. Over the bounds of a read the answer
 * says that it is approximate; with one filter that has a tag the members then count for themselves, and what their
 * HyperLogLogs say together is the answer.
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
    const { store, enforcer, limits, clock } = this.#options;
    const { parts, open } = hereOnly ? { parts: [], open: false } : remoteParts(enforcer(), filters);
    const offset = filters.length === 1 ? hyperLogLogOffset(filters[0]!) : undefined;
    const hll = offset === undefined ? undefined : new HyperLogLog(offset);
    const ids = new Set<string>();
    const here = await store.count(filters, {
      now: Math.floor(clock() / 1000),
      mayRead,
      rowsMax: limits.countRowsMax,
      each: ({ id, json }) => {
        ids.add(id);
        hll?.add(authorOf(json));
      },
    });
    let exact = here.exact && !open;
    let count = here.count;
    if (parts.length > 0) {
      const { events, complete } = await this.#read(parts);
      for (const event of events) {
        if (mayRead?.(JSON.stringify(event)) === false) continue;
        ids.add(event.id);
        hll?.add(event.pubkey);
      }
      count = ids.size;
      exact &&= complete === true;
      if (hll && complete !== true && this.#isPublic(filters[0]!))
        count = Math.max(count, await this.#merge(hll, parts));
    }
    return { count, ...(exact ? {} : { approximate: true }), ...(hll ? { hll: hll.hex } : {}) };
  }

  /** Another member does not know who asks here: it would count what is withheld from them. */
  #isPublic({ kinds }: Filter): boolean {
    const { authKinds } = this.#options;
    return authKinds.size === 0 || (kinds?.every((kind) => !authKinds.has(kind)) ?? false);
  }

  async #read(parts: readonly RemotePart[]) {
    const { limits, clock, links, upstreams } = this.#options;
    const unlimited = parts.map((part) => ({ ...part, filter: { ...part.filter, limit: limits.limitMax } }));
    const feed = new RemoteFeed(unlimited, { links, upstreams, clock, onEvent: () => {} });
    return await feed.read(limits.remoteReadMs).finally(() => feed.close());
  }

  /** Takes in what the members count that hold the parts. @returns what all have together, about */
  async #merge(hll: HyperLogLog, parts: readonly RemotePart[]): Promise<number> {
    const { links, limits } = this.#options;
    let most = 0;
    await Promise.all(
      parts.map(async ({ filter, candidates }) => {
        const { limit: _, ...unlimited } = filter;
        const member = candidates.find((id) => links.get(id)?.healthy);
        const counted = await links
          .get(member ?? '')
          ?.count(unlimited, limits.remoteReadMs)
          .catch(() => undefined); // out of reach: what was read counts
        if (!counted) return;
        most = Math.max(most, counted.count);
        hll.merge(counted.hll);
      }),
    );
    return Math.max(most, hll.estimate());
  }
}
