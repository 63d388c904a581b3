import type { QueryOptions, QueryResult, StoredEvent } from './event-store.ts';

export interface EventRow {
  json: string;
  created_at: number;
  address: string | null;
  expires_at: number | null;
}

/** Rows that one filter may pass over before its answer is cut and said to be incomplete. */
export const ROWS_MAX = 50_000;
/** Matches that one search looks at, the latest that came here first. */
export const SEARCH_MATCHES_MAX = 2000;

/** `parseEvent` fixes the order of fields, so a stored event's id and author stand at fixed places. */
export const idOf = (json: string): string => json.slice(7, 71);
export const authorOf = (json: string): string => json.slice(83, 147);

/** In answering order. */
export function sortRows(rows: EventRow[]): void {
  rows.sort((a, b) => b.created_at - a.created_at || (idOf(a.json) < idOf(b.json) ? -1 : 1));
}

/** Collects an answer up to its bounds. */
export class Answer {
  readonly #events: StoredEvent[] = [];
  readonly #limit: number;
  readonly #options: QueryOptions;
  readonly #isHidden: (json: string, createdAt: number) => boolean;
  #bytes = 0;

  /** @param isHidden whether an event is on its way out, as its account vanished */
  constructor(limit: number, options: QueryOptions, isHidden: (json: string, createdAt: number) => boolean) {
    this.#isHidden = isHidden;
    this.#limit = limit;
    this.#options = options;
  }

  /** False when this event does not fit any more: there is more than the answer holds. */
  take({ json, created_at, address, expires_at }: EventRow): boolean {
    if (expires_at !== null && expires_at <= this.#options.now) return true;
    if (this.#isHidden(json, created_at) || this.#options.mayRead?.(json) === false) return true;
    if (this.#events.length >= this.#limit) return false;
    if (this.#events.length > 0 && this.#bytes + json.length > this.#options.bytesMax) return false;
    this.#bytes += json.length;
    this.#events.push({ id: idOf(json), createdAt: created_at, address: address ?? undefined, json });
    return true;
  }

  /** Rows in answering order, and nothing else matches. */
  of(rows: Iterable<EventRow>): QueryResult {
    for (const row of rows) if (!this.take(row)) return this.cut();
    return this.whole();
  }

  whole(): QueryResult {
    return { events: this.#events, complete: true };
  }

  cut(): QueryResult {
    return { events: this.#events, complete: false };
  }
}
