import type { Signer } from '../../conformance/signer.ts';

/** What a client was told OK to. */
export interface Entry {
  id: string;
  author: string;
  atMs: number;
  /** OK was said without the words that only one copy, or only a spool, has it. */
  strong: boolean;
}

/** Sums of a book; `gaps` and `unanswered` whole, as each is a fault to look into. */
export type BookCounts = Pick<Book, 'reads' | 'honest' | 'late' | 'gaps' | 'unanswered'> & {
  acknowledged: number;
  weak: number;
  /** What was refused, by the words of the refusal. */
  refused: Record<string, number>;
};

const WEAK = /durable on one copy|no holder has confirmed/;

/** A copy that lost touch with the others claims to be whole for so long at the most. */
const LAG_MS_MAX = 5_000;

/** What the clients know: every acknowledged event, and what their reads found. Kept outside of the cluster. */
export class Book {
  readonly entries: Entry[] = [];
  /** Reads that did not find what was acknowledged LAG_MS_MAX or more before, and did not say that they may not be all. */
  readonly gaps: { atMs: number; member: number; missing: string[]; end: string }[] = [];
  /** The same for events acknowledged less than LAG_MS_MAX before: copies that were about to get them. */
  late = 0;
  reads = 0;
  /** Reads that said that they may not be all. */
  honest = 0;
  /** REQs and EVENTs that got no answer though the connection stood. */
  unanswered: { atMs: number; member: number; what: string }[] = [];
  readonly refused = new Map<string, number>();
  readonly #random: () => number;
  readonly authors: readonly Signer[];

  constructor(authors: readonly Signer[], random: () => number) {
    this.authors = authors;
    this.#random = random;
  }

  acknowledged(id: string, author: string, message: string): void {
    this.entries.push({ id, author, atMs: performance.now(), strong: !WEAK.test(message) });
  }

  /** A read that claimed to be all and found no `missing`, begun at `startedMs`. */
  missed(member: number, missing: readonly Entry[], end: string, startedMs: number): void {
    const old = missing.filter(({ atMs }) => startedMs - atMs >= LAG_MS_MAX);
    if (old.length === 0) this.late++;
    else this.gaps.push({ atMs: performance.now(), member, missing: old.map(({ id }) => id), end });
  }

  refusedWith(message: string): void {
    const word = message.replace(/[0-9a-f]{8,}|wss?:\S+|\d+/g, '…').slice(0, 80);
    this.refused.set(word, (this.refused.get(word) ?? 0) + 1);
  }

  /** Some strongly acknowledged events of one author, half of them among the latest. */
  sample(count: number): Entry[] {
    const { entries } = this;
    if (entries.length === 0) return [];
    const recent = this.#random() < 0.5;
    const from = recent ? Math.max(0, entries.length - 500) : 0;
    const first = entries[from + Math.floor(this.#random() * (entries.length - from))]!;
    const same: Entry[] = [];
    for (let i = from; i < entries.length && same.length < count; i++) {
      const entry = entries[i]!;
      if (entry.strong && entry.author === first.author) same.push(entry);
    }
    return same;
  }

  counts(): BookCounts {
    const acknowledged = this.entries.filter(({ strong }) => strong).length;
    const { reads, honest, late, gaps, unanswered } = this;
    return {
      acknowledged,
      weak: this.entries.length - acknowledged,
      reads,
      honest,
      late,
      gaps,
      unanswered,
      refused: Object.fromEntries(this.refused),
    };
  }
}
