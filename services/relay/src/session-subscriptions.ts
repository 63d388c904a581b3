import type { AnnouncedClient } from './clients/announced-client.ts';
import { closed } from './frames.ts';
import type { Outbound } from './outbound.ts';
import type { ProvenKeys } from './proven-keys.ts';
import type { SessionContext } from './session-context.ts';
import { Subscription } from './subscription.ts';

/** Subscriptions that a member may keep here: it asks for all its clients. */
const MEMBER_SUBSCRIPTIONS_MAX = 10_000;
const NONE: readonly Subscription[] = [];

/** The subscriptions of one connection. */
export class SessionSubscriptions {
  readonly #context: SessionContext;
  readonly #outbound: Outbound;
  readonly #proven: ProvenKeys;
  /** None before the first REQ: most connections of a moment have none. */
  #open: Map<string, Subscription> | undefined;
  #ended = false;
  /** Set when the connection's client understands placement. */
  announced: AnnouncedClient | undefined;
  /** What the member that asks here applies, as it said last. */
  askerEpoch = 0;

  constructor(context: SessionContext, outbound: Outbound, proven: ProvenKeys) {
    this.#context = context;
    this.#outbound = outbound;
    this.#proven = proven;
  }

  get size(): number {
    return this.#open?.size ?? 0;
  }

  all(): Iterable<Subscription> {
    return this.#open?.values() ?? NONE;
  }

  open(id: string, asked: Subscription['filters']): void {
    const { limits, live, reads, metrics, enforcer } = this.#context;
    this.drop(id);
    if (this.#ended) return;
    const isMember = this.#proven.member !== undefined;
    const client = isMember ? undefined : this.announced;
    const filters = client?.narrow(asked) ?? asked;
    const most = isMember ? MEMBER_SUBSCRIPTIONS_MAX : limits.subscriptionsMax;
    if (this.size >= most) {
      this.#outbound.send(
        closed(id, `rate-limited: ${most} subscriptions are open on this connection; close one first`),
      );
      return;
    }
    const refusal = this.#proven.refusal(filters);
    if (refusal !== undefined) {
      this.#outbound.send(closed(id, refusal));
      return;
    }
    const named = client?.name({ id, filters }, enforcer());
    if (named === 'all') return;
    const subscription = new Subscription(
      id,
      filters,
      this.#outbound,
      () => metrics.countSent(),
      client?.outputFor(id, filters),
    );
    subscription.mayRead = this.#proven.mayRead;
    this.#open ??= new Map();
    this.#open.set(id, subscription);
    live.add(subscription);
    const asker = isMember ? { epoch: this.askerEpoch } : undefined;
    void reads.serve(subscription, this.#outbound, asker, named === 'some').catch((error) => {
      reads.report(error);
      if (this.#open?.get(id) !== subscription) return;
      this.drop(id);
      this.#outbound.send(closed(id, 'error: this relay could not read its store'));
    });
  }

  drop(id: string): void {
    const subscription = this.#open?.get(id);
    if (!subscription) return;
    this.#open?.delete(id);
    this.announced?.forget(id);
    this.#context.live.remove(subscription);
    subscription.close();
  }

  /** Under a new table, subscriptions whose accounts live elsewhere now are taken up there. */
  reroute(): void {
    if (this.#ended || this.#proven.member) return;
    const { reads, enforcer, clusterField } = this.#context;
    const client = this.announced;
    client?.tellMoved(this.all(), this.#proven.keys, enforcer(), clusterField());
    for (const subscription of [...this.all()])
      if (!client?.options.redirects) reads.reroute(subscription);
      else if (client.name(subscription, enforcer()) === 'all') this.drop(subscription.id);
  }

  /** The connection is gone. */
  end(): void {
    this.#ended = true;
    for (const { id } of [...this.all()]) this.drop(id);
  }
}
