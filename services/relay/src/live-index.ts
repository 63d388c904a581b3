import { type Filter, matchesFilter, type NostrEvent } from '@covey/nostr';

/** Something that wants new events. */
export interface Listener {
  readonly filters: readonly Filter[];
  /** Called once for an event, however many filters it fits. */
  deliver(event: NostrEvent, json: string): void;
}

/**
 * Finds the listeners of a new event without asking all of them: each filter is filed under the values of its most
 * selective condition, and an event looks only under its own id, author, tags and kind.
 */
export class LiveIndex {
  readonly #files = new Map<string, Map<Listener, Filter[]>>();
  #listeners = 0;

  get size(): number {
    return this.#listeners;
  }

  add(listener: Listener): void {
    this.#listeners++;
    for (const filter of listener.filters)
      for (const key of filingKeys(filter)) {
        let file = this.#files.get(key);
        if (!file) this.#files.set(key, (file = new Map()));
        const filters = file.get(listener);
        if (filters) filters.push(filter);
        else file.set(listener, [filter]);
      }
  }

  remove(listener: Listener): void {
    this.#listeners--;
    for (const filter of listener.filters)
      for (const key of filingKeys(filter)) {
        const file = this.#files.get(key);
        file?.delete(listener);
        if (file?.size === 0) this.#files.delete(key);
      }
  }

  publish(event: NostrEvent, json: string): void {
    let delivered: Set<Listener> | undefined;
    for (const key of eventKeys(event)) {
      const file = this.#files.get(key);
      if (!file) continue;
      for (const [listener, filters] of file) {
        if (delivered?.has(listener)) continue;
        if (!filters.some((filter) => matchesFilter(filter, event))) continue;
        (delivered ??= new Set()).add(listener);
        listener.deliver(event, json);
      }
    }
  }
}

const EVERYTHING = '*';

function filingKeys(filter: Filter): string[] {
  if (filter.ids) return filter.ids.map((id) => `i${id}`);
  if (filter.authors) return filter.authors.map((author) => `a${author}`);
  const letter = Object.keys(filter.tags)[0];
  if (letter !== undefined) return filter.tags[letter]!.map((value) => `#${letter}${value}`);
  if (filter.kinds) return filter.kinds.map((kind) => `k${kind}`);
  return [EVERYTHING];
}

function* eventKeys(event: NostrEvent): Generator<string> {
  yield `i${event.id}`;
  yield `a${event.pubkey}`;
  yield `k${event.kind}`;
  yield EVERYTHING;
  const seen = new Set<string>();
  for (const [name, value] of event.tags) {
    if (name?.length !== 1 || value === undefined) continue;
    const key = `#${name}${value}`;
    if (seen.has(key)) continue;
    seen.add(key);
    yield key;
  }
}
