import { type Filter, KIND, matchesFilter, type NostrEvent } from '@covey/nostr';
import { storedForm } from '../merge-answers.ts';
import type { StoredEvent } from '../store/event-store.ts';
import { expirationOf } from '../store/keys.ts';

const EVENTS_MAX = 5000;
const BYTES_MAX = 16 * 1024 * 1024;
const AGE_MS_MAX = 600_000;

interface Kept {
  event: NostrEvent;
  form: StoredEvent;
  atMs: number;
}

/**
 * Events that were forwarded lately, so that who wrote one here finds it here, also while it is still on its way. A
 * convenience in memory, bounded in number, bytes and time: the spool is what keeps them.
 */
export class ForwardedEvents {
  readonly #clock: () => number;
  readonly #kept = new Map<string, Kept>();
  readonly #byAuthor = new Map<string, Set<string>>();
  #bytes = 0;

  /** @param clock Unix milliseconds */
  constructor(clock: () => number) {
    this.#clock = clock;
  }

  add(event: NostrEvent): void {
    if (event.kind === KIND.deletion)
      for (const [name, id] of event.tags)
        if (name === 'e' && id && this.#kept.get(id)?.event.pubkey === event.pubkey) this.remove(id);
    if (this.#kept.has(event.id)) return;
    const form = storedForm(event);
    this.#kept.set(event.id, { event, form, atMs: this.#clock() });
    this.#bytes += form.json.length;
    let ids = this.#byAuthor.get(event.pubkey);
    if (!ids) this.#byAuthor.set(event.pubkey, (ids = new Set()));
    ids.add(event.id);
    for (const [id, { atMs }] of this.#kept) {
      const tooMany = this.#kept.size > EVENTS_MAX || this.#bytes > BYTES_MAX;
      if (!tooMany && this.#clock() - atMs < AGE_MS_MAX) break;
      this.remove(id);
    }
  }

  /** Whether it was taken here lately, and not refused by those that it was for. */
  has(id: string): boolean {
    const kept = this.#kept.get(id);
    return kept !== undefined && !this.#isOver(kept);
  }

  /** NIP-62. @param until Unix seconds */
  vanish(pubkey: string, until: number): void {
    for (const id of [...(this.#byAuthor.get(pubkey) ?? [])]) {
      const { event } = this.#kept.get(id)!;
      if (event.created_at <= until && event.kind !== KIND.vanish) this.remove(id);
    }
  }

  remove(id: string): void {
    const kept = this.#kept.get(id);
    if (!kept) return;
    this.#kept.delete(id);
    this.#bytes -= kept.form.json.length;
    const ids = this.#byAuthor.get(kept.event.pubkey);
    ids?.delete(id);
    if (ids?.size === 0) this.#byAuthor.delete(kept.event.pubkey);
  }

  /** Those that fit a filter which names ids or authors; others are answered without these. */
  find(filter: Filter): StoredEvent[] {
    if (this.#kept.size === 0) return [];
    const found: StoredEvent[] = [];
    for (const id of this.#candidates(filter)) {
      const kept = this.#kept.get(id);
      if (kept && matchesFilter(filter, kept.event) && !this.#isOver(kept)) found.push(kept.form);
    }
    return found;
  }

  *#candidates({ ids, authors }: Filter): Generator<string> {
    if (ids) yield* ids;
    else for (const author of authors ?? []) yield* this.#byAuthor.get(author) ?? [];
  }

  #isOver({ event, atMs }: Kept): boolean {
    const now = this.#clock();
    const expires = expirationOf(event);
    return now - atMs >= AGE_MS_MAX || (expires !== undefined && expires * 1000 <= now);
  }
}
