import type { Enforcer } from '@covey/enforcement';
import { notice } from './frames.ts';
import type { Limits } from './limits.ts';
import type { ForwardedEvents } from './members/forwarded-events.ts';
import type { MemberLinks } from './members/member-links.ts';
import { RemoteFeed, type RemotePart, type RemoteReading, remoteParts } from './members/remote-feed.ts';
import type { Upstreams } from './members/upstreams.ts';
import { mergeAnswers, mergeEvents } from './merge-answers.ts';
import type { RelayMetrics } from './metrics.ts';
import type { Outbound } from './outbound.ts';
import type { EventStore, QueryResult } from './store/event-store.ts';
import type { Subscription } from './subscription.ts';

export interface ReadPathOptions {
  store: EventStore;
  links: MemberLinks;
  forwarded: ForwardedEvents;
  upstreams: Upstreams;
  enforcer: () => Enforcer;
  /** It belongs to a cluster and does not know the table yet: what it has is not all. */
  awaitsTable: () => boolean;
  metrics: RelayMetrics;
  limits: Limits;
  /** Unix milliseconds. */
  clock: () => number;
  log: { error(fields: object, text: string): void };
}

const NOTHING_REMOTE: RemoteReading = { events: [], complete: true, unreachedKeys: 0, fillingKeys: 0 };
const NAMED_REMOTE: RemoteReading = { events: [], complete: false, unreachedKeys: 0, fillingKeys: 0 };

/** Answers REQs: what is here and, for clients, what lives at other members; merged, ordered, bounded in time and size. */
export class ReadPath {
  readonly #options: ReadPathOptions;

  constructor(options: ReadPathOptions) {
    this.#options = options;
  }

  /**
   * @param asker another member, with the epoch that it applies: it does the asking around itself
   * @param named the client was told where the rest lives, and asks there itself
   * @throws StoreError
   */
  async serve(
    subscription: Subscription,
    outbound: Outbound,
    asker?: { epoch: number },
    named = false,
  ): Promise<void> {
    const { enforcer, limits } = this.#options;
    const { filters } = subscription;
    const hereOnly = asker !== undefined;
    const { parts, open } = hereOnly ? { parts: [], open: false } : remoteParts(enforcer(), filters);
    const asked = parts.length > 0 && !named;
    const remote = asked
      ? await this.#readRemote(subscription, parts)
      : parts.length > 0
        ? NAMED_REMOTE
        : NOTHING_REMOTE;
    await outbound.inTurn(async () => {
      if (subscription.closed) return;
      const here = await this.#readHere(filters, hereOnly, subscription.mayRead);
      const { events, cut } = mergeAnswers(
        filters,
        here.map((result) => result.events),
        remote.events.filter((event) => subscription.mayRead?.(JSON.stringify(event)) !== false),
        limits.limitMax,
      );
      if (remote.unreachedKeys > 0)
        // A client of today does not read the hint in EOSE: it must not take a silent feed for an empty one.
        outbound.send(
          notice(
            `the relays that hold ${remote.unreachedKeys} of the accounts in "${subscription.id}" could not be reached; what they have follows when they are back`,
          ),
        );
      else if (remote.fillingKeys > 0)
        outbound.send(
          notice(
            `the copies of ${remote.fillingKeys} of the accounts in "${subscription.id}" are being filled: something may be missing until they are whole`,
          ),
        );
      if (asker && (this.#isStale(asker.epoch) || filters.some((filter) => enforcer().fills(filter))))
        outbound.send(JSON.stringify(['COVEY-FILLING', subscription.id]));
      const missing = this.#options.awaitsTable() || (open && !foundAllIds(filters, events.length));
      await subscription.answer(events, completeness(filters, here, cut, remote.complete, missing));
    });
  }

  /**
   * Whether accounts may have left this member and come back between the epoch here and the asker's: what it holds by its
   * own table it held all along only if no epoch lies between.
   */
  #isStale(askerEpoch: number): boolean {
    return askerEpoch > (this.#options.enforcer().table?.epoch ?? 0) + 1;
  }

  /** What is stored here and, for clients, what was forwarded from here lately. */
  async #readHere(
    filters: Subscription['filters'],
    storedOnly: boolean,
    mayRead: Subscription['mayRead'],
  ): Promise<QueryResult[]> {
    const { store, forwarded, limits, clock } = this.#options;
    const now = Math.floor(clock() / 1000);
    let bytesMax = limits.answerBytesMax;
    const results: QueryResult[] = [];
    for (const filter of filters) {
      const result = await store.query(filter, { limitMax: limits.limitMax, bytesMax, now, mayRead });
      for (const { json } of result.events) bytesMax = Math.max(1, bytesMax - json.length);
      const passing = storedOnly
        ? []
        : forwarded.find(filter).filter(({ json }) => mayRead?.(json) !== false);
      if (passing.length === 0) {
        results.push(result);
        continue;
      }
      const events = mergeEvents([result.events, passing]);
      const limit = Math.min(filter.limit ?? limits.limitMax, limits.limitMax);
      results.push({ events: events.slice(0, limit), complete: result.complete && events.length <= limit });
    }
    return results;
  }

  async #readRemote(subscription: Subscription, parts: readonly RemotePart[]): Promise<RemoteReading> {
    const { metrics, limits } = this.#options;
    const reading = await this.#open(subscription, parts).read(limits.remoteReadMs);
    metrics.remoteReads.inc({ outcome: reading.unreachedKeys > 0 ? 'unreached' : 'answered' });
    return reading;
  }

  #open(subscription: Subscription, parts: readonly RemotePart[]): RemoteFeed {
    const { links, upstreams, clock } = this.#options;
    const feed = new RemoteFeed(parts, {
      links,
      upstreams,
      clock,
      onEvent: (event) => subscription.deliverRemote(event),
    });
    subscription.remote = { feed, parts };
    return feed;
  }

  /** Where a new table says that other members must be asked, they are; what they have comes as new events. */
  reroute(subscription: Subscription): void {
    const { parts } = remoteParts(this.#options.enforcer(), subscription.filters);
    if (JSON.stringify(parts) === JSON.stringify(subscription.remote?.parts ?? [])) return;
    subscription.remote?.feed.close();
    subscription.remote = undefined;
    if (parts.length === 0) return;
    void this.#readRemote(subscription, parts).then(({ events }) => {
      for (const event of events.reverse()) subscription.deliverRemote(event);
    });
  }

  report(error: unknown): void {
    this.#options.log.error({ error: String(error) }, 'a subscription could not be answered');
  }
}

function foundAllIds(filters: Subscription['filters'], found: number): boolean {
  return filters.every((filter) => filter.ids) && found >= filters.reduce((n, { ids }) => n + ids!.length, 0);
}

/** What EOSE may claim: true only when nothing that matches is left out anywhere. */
function completeness(
  filters: Subscription['filters'],
  here: readonly QueryResult[],
  cut: boolean,
  remote: boolean | undefined,
  missing: boolean,
): boolean | undefined {
  if (filters.every((filter) => filter.limit === 0)) return undefined; // it asked for nothing stored
  const cutHere = here.some((result, i) => !result.complete && filters[i]!.limit !== 0);
  if (cut || cutHere || missing || remote === false) return false;
  return remote;
}
