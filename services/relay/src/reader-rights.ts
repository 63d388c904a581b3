import type { Filter, NostrEvent } from '@covey/nostr';

/** Who may read one of a kind that is private: those it tags and its author. Everything else is anybody's. */
export class ReaderRights {
  readonly #kinds: ReadonlySet<number>;
  readonly #keys: () => ReadonlySet<string>;

  /** @param keys who the reader has proved to be by now */
  constructor(kinds: ReadonlySet<number>, keys: () => ReadonlySet<string>) {
    this.#kinds = kinds;
    this.#keys = keys;
  }

  /** Arrow, as it is handed to the store. */
  readonly mayRead = (json: string): boolean => {
    if (this.#kinds.size === 0) return true;
    // Quotes inside strings are escaped: this can only be the event's own kind.
    const kind = /"kind":(\d+),/.exec(json)?.[1];
    if (!this.#kinds.has(Number(kind))) return true;
    const keys = this.#keys();
    if (keys.size === 0) return false;
    const { pubkey, tags }: NostrEvent = JSON.parse(json);
    return keys.has(pubkey) || tags.some(([name, value]) => name === 'p' && keys.has(value ?? ''));
  };

  /** Whether filters ask for private kinds, beside others or alone. */
  concerns(filters: readonly Filter[]): boolean {
    return filters.some(({ kinds }) => kinds?.some((kind) => this.#kinds.has(kind)));
  }

  /**
   * Why a question can't be answered, as the text of CLOSED, or undefined when it can: a filter that asks for private kinds
   * alone needs AUTH, and gets only what is one's own. Others are answered without what is private to somebody else.
   */
  refusal(filters: readonly Filter[]): string | undefined {
    const keys = this.#keys();
    for (const { kinds, tags, authors } of filters) {
      if (!kinds || kinds.length === 0 || !kinds.every((kind) => this.#kinds.has(kind))) continue;
      if (keys.size === 0)
        return `auth-required: kind ${kinds[0]} is served to those it is for, once authenticated`;
      const asked = tags['p'] ?? authors;
      if (asked && !asked.some((key) => keys.has(key)))
        return `restricted: kind ${kinds[0]} is served to those it is for; another key is authenticated`;
    }
    return undefined;
  }
}
