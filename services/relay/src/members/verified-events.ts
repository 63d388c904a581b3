import { eventId, type NostrEvent, parseEvent, verifyEvent } from '@covey/nostr';

const KNOWN_MAX = 20_000;
/** Events checked before the event loop gets a turn: about 10 ms. */
const TURN_EVENTS = 50;

/**
 * Checks events that other members send: members are trusted to place and serve, not to speak for authors. Signatures that
 * were checked lately are remembered, as the same events come back for many readers.
 */
export class VerifiedEvents {
  readonly #known = new Map<string, string>();

  /** The event in `value`, or undefined when it is malformed or forged. */
  check(value: unknown): NostrEvent | undefined {
    let event: NostrEvent;
    try {
      event = parseEvent(value);
    } catch {
      return undefined;
    }
    if (this.#known.get(event.id) === event.sig && eventId(event) === event.id) return event;
    if (verifyEvent(event) !== 'valid') return undefined;
    this.#known.set(event.id, event.sig);
    if (this.#known.size > KNOWN_MAX) this.#known.delete(this.#known.keys().next().value!);
    return event;
  }

  async checkAll(values: readonly unknown[]): Promise<NostrEvent[]> {
    const events: NostrEvent[] = [];
    for (let i = 0; i < values.length; i++) {
      const event = this.check(values[i]);
      if (event) events.push(event);
      if (i % TURN_EVENTS === TURN_EVENTS - 1) await new Promise((resolve) => setImmediate(resolve));
    }
    return events;
  }
}
