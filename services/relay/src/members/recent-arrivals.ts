import type { NostrEvent } from '@covey/nostr';

const EVENTS_MAX = 2000;
/** Longer than it takes to notice that a connection is dead. */
const AGE_MS_MAX = 90_000;

/**
 * What other members brought here lately, by member. Who brings an event brings it to the other holders too; when it dies
 * on the way, those that have the event pass it on in its place.
 */
export class RecentArrivals {
  readonly #clock: () => number;
  readonly #byMember = new Map<string, { event: NostrEvent; atMs: number }[]>();

  /** @param clock Unix milliseconds */
  constructor(clock: () => number) {
    this.#clock = clock;
  }

  add(member: string, event: NostrEvent): void {
    let arrivals = this.#byMember.get(member);
    if (!arrivals) this.#byMember.set(member, (arrivals = []));
    arrivals.push({ event, atMs: this.#clock() });
    // Trimmed now and then, not each time.
    if (arrivals.length >= 2 * EVENTS_MAX) arrivals.splice(0, arrivals.length - EVENTS_MAX);
  }

  /** What a member that is gone brought, once. */
  takeFrom(member: string): NostrEvent[] {
    const arrivals = this.#byMember.get(member) ?? [];
    this.#byMember.delete(member);
    const oldest = this.#clock() - AGE_MS_MAX;
    return arrivals
      .slice(-EVENTS_MAX)
      .filter(({ atMs }) => atMs >= oldest)
      .map(({ event }) => event);
  }
}
