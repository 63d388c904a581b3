import { type Filter, matchesFilter, type NostrEvent } from '@covey/nostr';
import { eose, eventPrefix } from './frames.ts';
import type { Listener } from './live-index.ts';
import type { RemoteFeed, RemotePart } from './members/remote-feed.ts';
import type { Outbound } from './outbound.ts';
import type { StoredEvent } from './store/event-store.ts';

/** New events kept back until the stored ones are out; older ones of these go first when there are more. */
const HELD_MAX = 1000;
/** Ids remembered so that an event that comes on two ways is sent once. */
const RECENT_MAX = 500;

/** One REQ of one connection: first what is stored, then EOSE, then what is new, each event once. */
export class Subscription implements Listener {
  readonly id: string;
  readonly filters: readonly Filter[];
  /** The part that lives at other members, while there is one. */
  remote: { feed: RemoteFeed; parts: readonly RemotePart[] } | undefined;
  readonly #outbound: Outbound;
  readonly #prefix: string;
  readonly #onSent: () => void;
  #held: { id: string; json: string }[] | undefined = [];
  #sent = new Set<string>();
  #closed = false;

  constructor(id: string, filters: readonly Filter[], outbound: Outbound, onSent: () => void) {
    this.id = id;
    this.filters = filters;
    this.#outbound = outbound;
    this.#prefix = eventPrefix(id);
    this.#onSent = onSent;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** A new event that fits the filters. */
  deliver(event: NostrEvent, json: string): void {
    if (this.#closed || this.#sent.has(event.id)) return;
    if (this.#held) {
      if (this.#held.length === HELD_MAX) this.#held.shift();
      this.#held.push({ id: event.id, json });
      return;
    }
    this.#remember(event.id);
    this.#send(json);
  }

  /** A new event from another member: it may be here as well. */
  deliverRemote(event: NostrEvent): void {
    if (this.filters.some((filter) => matchesFilter(filter, event)))
      this.deliver(event, JSON.stringify(event));
  }

  #send(json: string): void {
    this.#outbound.send(`${this.#prefix}${json}]`);
    this.#onSent();
  }

  #remember(id: string): void {
    this.#sent.add(id);
    if (this.#sent.size > RECENT_MAX) this.#sent.delete(this.#sent.values().next().value!);
  }

  /** The stored part and EOSE, no faster than the reader takes it; then what was held back. */
  async answer(events: readonly StoredEvent[], complete: boolean | undefined): Promise<void> {
    for (const { id, json } of events) {
      if (this.#closed || !this.#outbound.open) return;
      this.#sent.add(id);
      await this.#outbound.pace(`${this.#prefix}${json}]`);
      this.#onSent();
    }
    if (this.#closed) return;
    this.#outbound.send(eose(this.id, complete));
    // The newest are remembered longest.
    this.#sent = new Set([...this.#sent].slice(0, RECENT_MAX).reverse());
    const held = this.#held ?? [];
    this.#held = undefined;
    for (const { id, json } of held) {
      if (this.#sent.has(id)) continue;
      this.#remember(id);
      this.#send(json);
    }
  }

  close(): void {
    this.#closed = true;
    this.remote?.feed.close();
  }
}
