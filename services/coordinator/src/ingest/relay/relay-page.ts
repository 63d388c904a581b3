/** The one filter that ingest asks relays: events of one kind within a stretch of time (Unix seconds, both ends in). */
export interface PageRequest {
  kind: number;
  since: number;
  until: number;
  limit: number;
}

/** What paging needs to know of an event; whether it is genuine is found out later. */
export interface PageEvent {
  id: string;
  createdAt: number;
  /** The whole message as it came. */
  message: Uint8Array;
}

/** One answer of a relay. */
export interface Page {
  /** In the order in which they came, each id once, all within the request. */
  events: PageEvent[];
  /** Messages that were not asked for or not understood. */
  stray: number;
  /** What is not JSON, or an event without id, kind or date. */
  unusable: Uint8Array[];
  /** Why the answer ended: all sent; cut short by us at a bound. */
  end: 'eose' | 'cut';
}

/** Collects the messages of one answer. */
export class PageCollector {
  readonly #request: PageRequest;
  readonly #ids = new Set<string>();
  readonly events: PageEvent[] = [];
  readonly unusable: Uint8Array[] = [];
  stray = 0;
  /** Of the messages in `events`, and of those in `unusable`. */
  bytes = 0;
  unusableBytes = 0;

  constructor(request: PageRequest) {
    this.#request = request;
  }

  /** @param event the third item of an EVENT message */
  add(event: unknown, message: Uint8Array): void {
    const { id, kind, created_at: createdAt } = (event ?? {}) as Record<string, unknown>;
    if (typeof id !== 'string' || typeof kind !== 'number' || !Number.isSafeInteger(createdAt)) {
      this.addGarbage(message);
      this.stray++;
      return;
    }
    const { since, until, kind: wanted } = this.#request;
    const date = createdAt as number;
    if (kind !== wanted || date < since || date > until || this.#ids.has(id)) {
      this.stray++;
      return;
    }
    this.#ids.add(id);
    this.bytes += message.length;
    this.events.push({ id, createdAt: date, message });
  }

  /** What is no message, or an event that can't be placed in time: examined with the events, so that it is counted. */
  addGarbage(message: Uint8Array): void {
    this.unusable.push(message);
    this.unusableBytes += message.length;
  }

  page(end: Page['end']): Page {
    return { events: this.events, stray: this.stray, unusable: this.unusable, end };
  }
}
