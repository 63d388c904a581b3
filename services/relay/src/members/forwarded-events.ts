import { type Filter, KIND, matchesFilter, type NostrEvent } from '@covey/nostr';
import { byAge, storedForm } from '../merge-answers.ts';
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
    if (event.kind === KIND.deletion) this.#delete(event);
    if (this.#kept.has(event.id)) return;
    const form = storedForm(event);
    if (form.address !== undefined) {
      const versions = [...(this.#byAuthor.get(event.pubkey) ?? [])]
        .map((id) => this.#kept.get(id)!.form)
        .filter(({ address }) => address === form.address);
      if (versions.some((version) => byAge(version, form) < 0)) return; // a newer one was written here
      for (const { id } of versions) this.remove(id);
    }
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

  /** NIP-09: by id, or by address up to the deletion's own time. */
  #delete({ pubkey, tags, created_at }: NostrEvent): void {
    const named = (tag: string) => new Set(tags.filter(([name]) => name === tag).map(([, value]) => value));
    const [ids, addresses] = [named('e'), named('a')];
    for (const id of [...(this.#byAuthor.get(pubkey) ?? [])]) {
      const { event, form } = this.#kept.get(id)!;
      if (event.kind === KIND.deletion) continue;
      const isAddressed = form.address !== undefined && addresses.has(form.address);
      if (ids.has(id) || (isAddressed && event.created_at <= created_at)) this.remove(id);
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

  /** Those that fit a filter. */
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
    else if (authors) for (const author of authors) yield* this.#byAuthor.get(author) ?? [];
    else yield* this.#kept.keys();
  }

  #isOver({ event, atMs }: Kept): boolean {
    const now = this.#clock();
    const expires = expirationOf(event);
    return now - atMs >= AGE_MS_MAX || (expires !== undefined && expires * 1000 <= now);
  }
}
