/** A row of an index: where the event is, and its place in the order of answers. */
export interface IndexRow {
  seq: number;
  created_at: number;
  head: number;
  kind: number;
}

/** Fetches up to `count` rows that come after `after`, or the first ones. Fewer than `count` means: no more. */
export type FetchPage = (after: IndexRow | undefined, count: number) => IndexRow[];

const PAGE_ROWS_MAX = 1024;

/** One range, read page by page: small pages first, as most ranges give few rows to an answer. */
class Cursor {
  readonly #fetch: FetchPage;
  #page: IndexRow[];
  #at = 0;
  #pageRows: number;

  constructor(fetch: FetchPage, pageRows: number) {
    this.#fetch = fetch;
    this.#pageRows = pageRows;
    this.#page = fetch(undefined, pageRows);
  }

  get head(): IndexRow | undefined {
    return this.#page[this.#at];
  }

  advance(): void {
    if (++this.#at < this.#page.length || this.#page.length < this.#pageRows) return;
    const last = this.#page[this.#page.length - 1];
    this.#pageRows = Math.min(this.#pageRows * 4, PAGE_ROWS_MAX);
    this.#page = this.#fetch(last, this.#pageRows);
    this.#at = 0;
  }
}

function before(a: IndexRow, b: IndexRow): boolean {
  if (a.created_at !== b.created_at) return a.created_at > b.created_at;
  return a.head !== b.head ? a.head < b.head : a.seq < b.seq;
}

/**
 * The rows of all ranges in answering order, each once: a k-way merge over a binary heap that fetches only what it
 * needs. With k ranges and an answer of n rows it reads about n + k × pageRows rows.
 */
export function* mergeRanges(fetches: readonly FetchPage[], pageRows: number): Generator<IndexRow> {
  const heap = fetches.map((fetch) => new Cursor(fetch, pageRows)).filter((cursor) => cursor.head);
  const sink = (at: number) => {
    for (let parent = at; ; ) {
      const left = 2 * parent + 1;
      if (left >= heap.length) return;
      const right = left + 1;
      const child = right < heap.length && before(heap[right]!.head!, heap[left]!.head!) ? right : left;
      if (!before(heap[child]!.head!, heap[parent]!.head!)) return;
      [heap[parent], heap[child]] = [heap[child]!, heap[parent]!];
      parent = child;
    }
  };
  for (let i = (heap.length >>> 1) - 1; i >= 0; i--) sink(i);
  let last = -1;
  while (heap.length > 0) {
    const top = heap[0]!;
    const row = top.head!;
    // An event that two ranges hold comes out of both one after the other.
    if (row.seq !== last) yield row;
    last = row.seq;
    top.advance();
    if (!top.head) {
      const end = heap.pop()!;
      if (heap.length === 0) return;
      if (end !== top) heap[0] = end;
    }
    sink(0);
  }
}
