import { type Filter, filterToJson, type NostrEvent } from '@covey/nostr';
import type { MemberLink } from './member-link.ts';
import type { VerifiedEvents } from './verified-events.ts';

export interface UpstreamListener {
  onEvent(event: NostrEvent): void;
  onLost(): void;
}

export interface RemoteAnswer {
  events: NostrEvent[];
  complete: boolean | undefined;
  filling: boolean;
}

/** There are as many live subscriptions at a member as we may keep there. */
export class UpstreamsFullError extends Error {
  override name = 'UpstreamsFullError';
}

interface Upstream {
  listeners: Set<UpstreamListener>;
  stop: Promise<() => void>;
}

/**
 * What clients here read at other members: clients that ask a member the same share one live subscription there, and
 * questions that are under way are asked once.
 */
export class Upstreams {
  readonly #verified: VerifiedEvents;
  readonly #perMemberMax: number;
  readonly #live = new Map<string, Map<string, Upstream>>();
  readonly #fetching = new Map<string, Promise<RemoteAnswer>>();
  #count = 0;

  constructor(verified: VerifiedEvents, perMemberMax: number) {
    this.#verified = verified;
    this.#perMemberMax = perMemberMax;
  }

  /** Live subscriptions at other members. */
  get count(): number {
    return this.#count;
  }

  /** @throws MemberUnreachableError */
  async fetch(link: MemberLink, filters: readonly Filter[], timeoutMs: number): Promise<RemoteAnswer> {
    const key = `${link.id} ${JSON.stringify(filters.map(filterToJson))}`;
    let answer = this.#fetching.get(key);
    if (!answer) {
      answer = this.#fetch(link, filters, timeoutMs).finally(() => this.#fetching.delete(key));
      this.#fetching.set(key, answer);
    }
    return await answer;
  }

  async #fetch(link: MemberLink, filters: readonly Filter[], timeoutMs: number): Promise<RemoteAnswer> {
    const { events, complete, filling } = await link.fetch(filters, timeoutMs);
    return { events: await this.#verified.checkAll(events), complete, filling };
  }

  /**
   * New events at `link` that fit `filters`, until the returned function is called. A listener gets what any of those who
   * share the subscription asked for: it checks against its own filter.
   * @throws MemberUnreachableError, UpstreamsFullError
   */
  async listen(
    link: MemberLink,
    filters: readonly Filter[],
    listener: UpstreamListener,
  ): Promise<() => void> {
    const liveFilters = filters.map(
      ({ since: _, until: __, limit: ___, ...rest }): Filter => ({ ...rest, limit: 0 }),
    );
    const key = JSON.stringify(liveFilters.map(filterToJson));
    let shared = this.#live.get(link.id);
    if (!shared) this.#live.set(link.id, (shared = new Map()));
    let upstream = shared.get(key);
    if (!upstream) {
      if (shared.size >= this.#perMemberMax)
        throw new UpstreamsFullError(`there are ${shared.size} live subscriptions at ${link.url}`);
      upstream = this.#open(link, liveFilters, shared, key);
    }
    const { listeners, stop } = upstream;
    listeners.add(listener);
    await stop; // throws for everyone who waits for it when the member can't be reached
    return () => {
      if (!listeners.delete(listener) || listeners.size > 0 || shared.get(key)?.listeners !== listeners)
        return;
      this.#forget(shared, key);
      void stop.then((end) => end());
    };
  }

  #open(link: MemberLink, filters: readonly Filter[], shared: Map<string, Upstream>, key: string): Upstream {
    const listeners = new Set<UpstreamListener>();
    const lost = () => {
      if (shared.get(key)?.listeners === listeners) this.#forget(shared, key);
      for (const listener of [...listeners]) listener.onLost();
      listeners.clear();
    };
    const stop = link.subscribe(filters, {
      onEvent: (value) => {
        void this.#verified.check(value).then((event) => {
          if (event) for (const listener of [...listeners]) listener.onEvent(event);
        });
      },
      onLost: lost,
    });
    stop.catch(() => {
      if (shared.get(key)?.listeners === listeners) this.#forget(shared, key);
      listeners.clear();
    });
    const upstream = { listeners, stop };
    shared.set(key, upstream);
    this.#count++;
    return upstream;
  }

  #forget(shared: Map<string, Upstream>, key: string): void {
    if (shared.delete(key)) this.#count--;
  }
}
