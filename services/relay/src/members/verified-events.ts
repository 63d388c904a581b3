import { eventId, type NostrEvent, parseEvent, type Verdict, verifyEvent } from '@covey/nostr';

const KNOWN_MAX = 20_000;
/** Events handed to the threads at once: one answer must not fill their queue. */
const SLICE_EVENTS = 200;

/**
 * Checks events that other members send: members are trusted to place and serve, not to speak for authors. Signatures that
 * were checked lately are remembered, as the same events come back for many readers.
 */
export class VerifiedEvents {
  readonly #verify: (event: NostrEvent) => Promise<Verdict>;
  readonly #known = new Map<string, string>();

  /** @param verify checks id and signature off this thread; where it can't take more, they are checked on it */
  constructor(verify: (event: NostrEvent) => Promise<Verdict>) {
    this.#verify = verify;
  }

  /** The event in `value`, or undefined when it is malformed or forged. */
  async check(value: unknown): Promise<NostrEvent | undefined> {
    let event: NostrEvent;
    try {
      event = parseEvent(value);
    } catch {
      return undefined;
    }
    if (this.#known.get(event.id) === event.sig && eventId(event) === event.id) return event;
    const verdict = await this.#verify(event).catch(() => verifyEvent(event));
    if (verdict !== 'valid') return undefined;
    this.#known.set(event.id, event.sig);
    if (this.#known.size > KNOWN_MAX) this.#known.delete(this.#known.keys().next().value!);
    return event;
  }

  /** Those of `values` that are events of their authors, in their order. */
  async checkAll(values: readonly unknown[]): Promise<NostrEvent[]> {
    const events: NostrEvent[] = [];
    for (let i = 0; i < values.length; i += SLICE_EVENTS)
      for (const event of await Promise.all(
        values.slice(i, i + SLICE_EVENTS).map((value) => this.check(value)),
      ))
        if (event) events.push(event);
    return events;
  }
}
