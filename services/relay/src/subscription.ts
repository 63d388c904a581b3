import { type Filter, matchesFilter, type NostrEvent } from '@covey/nostr';
import type { EventOutput, OutgoingEvent } from './clients/event-output.ts';
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
  /** Whether who subscribed may read an event that only some may read; everything when not set. */
  mayRead: ((json: string) => boolean) | undefined;
  readonly #outbound: Outbound;
  readonly #prefix: string;
  readonly #onSent: () => void;
  readonly #output: EventOutput | undefined;
  #held: OutgoingEvent[] | undefined = [];
  #sent = new Set<string>();
  #closed = false;

  /** @param output how events leave, for a client that asked for another form than one EVENT each */
  constructor(
    id: string,
    filters: readonly Filter[],
    outbound: Outbound,
    onSent: () => void,
    output?: EventOutput,
  ) {
    this.id = id;
    this.filters = filters;
    this.#outbound = outbound;
    this.#prefix = eventPrefix(id);
    this.#onSent = onSent;
    this.#output = output;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** A new event that fits the filters. */
  deliver(event: NostrEvent, json: string): void {
    if (this.#closed || this.#sent.has(event.id) || this.mayRead?.(json) === false) return;
    if (this.#held) {
      if (this.#held.length === HELD_MAX) this.#held.shift();
      this.#held.push({ id: event.id, createdAt: event.created_at, json });
      return;
    }
    this.#remember(event.id);
    this.#send({ id: event.id, createdAt: event.created_at, json });
  }

  /** A new event from another member: it may be here as well. */
  deliverRemote(event: NostrEvent): void {
    if (this.filters.some((filter) => matchesFilter(filter, event)))
      this.deliver(event, JSON.stringify(event));
  }

  #send(event: OutgoingEvent): void {
    if (this.#output) this.#output.live(event);
    else this.#outbound.send(`${this.#prefix}${event.json}]`);
    this.#onSent();
  }

  #remember(id: string): void {
    this.#sent.add(id);
    if (this.#sent.size > RECENT_MAX) this.#sent.delete(this.#sent.values().next().value!);
  }

  /** The stored part and EOSE, no faster than the reader takes it; then what was held back. */
  async answer(events: readonly StoredEvent[], complete: boolean | undefined): Promise<void> {
    for (const event of events) {
      if (this.#closed || !this.#outbound.open) return;
      this.#sent.add(event.id);
      if (this.#output) await this.#output.stored(event);
      else await this.#outbound.pace(`${this.#prefix}${event.json}]`);
      this.#onSent();
    }
    const withheld = (await this.#output?.endStored()) ?? false;
    if (this.#closed) return;
    this.#outbound.send(eose(this.id, withheld ? false : complete));
    // The newest are remembered longest.
    this.#sent = new Set([...this.#sent].slice(0, RECENT_MAX).reverse());
    const held = this.#held ?? [];
    this.#held = undefined;
    for (const event of held) {
      if (this.#sent.has(event.id)) continue;
      this.#remember(event.id);
      this.#send(event);
    }
  }

  close(): void {
    this.#closed = true;
    this.#output?.close();
    this.remote?.feed.close();
  }
}
