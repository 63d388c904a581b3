import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { type Filter, matchesFilter, type NostrEvent } from '@covey/nostr';
import { Answer, type EventRow, ROWS_MAX, SEARCH_MATCHES_MAX, sortRows } from '../answer.ts';
import type { QueryOptions, QueryResult } from '../event-store.ts';
import { type FetchPage, type IndexRow, mergeRanges } from '../merge.ts';
import { isImpossible, planQuery, type Range } from '../plan.ts';
import type { Vanishing } from '../vanishing.ts';
import type { SqliteSearch } from './sqlite-search.ts';
import { bytesOf, type Statements } from './statements.ts';

const INDEX = {
  'author-kind': { from: 'events INDEXED BY events_by_author_kind', where: 'pubkey = ? AND kind = ?' },
  author: { from: 'events INDEXED BY events_by_author', where: 'pubkey = ?' },
  kind: { from: 'events INDEXED BY events_by_kind', where: 'kind = ?' },
  tag: { from: 'tags', where: 'key = ?' },
  time: { from: 'events INDEXED BY events_by_time', where: 'true' },
} as const satisfies Record<Range['index'], { from: string; where: string }>;

/** Finds events by index, whatever the filter, and reads about as many rows as it answers. */
export class SqliteReads {
  readonly #statements: Statements;
  readonly #search: SqliteSearch;
  readonly #vanishing: Vanishing;
  readonly #ranges = {} as Record<Range['index'], StatementSync>;
  readonly #bySeq: StatementSync;

  constructor(db: DatabaseSync, statements: Statements, search: SqliteSearch, vanishing: Vanishing) {
    this.#statements = statements;
    this.#search = search;
    this.#vanishing = vanishing;
    // A page of a range: what it is bound to, since, until, and the row that it comes after (created_at, head).
    for (const [name, { from, where }] of Object.entries(INDEX))
      this.#ranges[name as Range['index']] = db.prepare(
        `SELECT seq, created_at, head, kind FROM ${from} WHERE ${where} AND created_at >= ? AND created_at <= ?
         AND (created_at < ? OR head > ?) ORDER BY created_at DESC, head LIMIT ?`,
      );
    this.#bySeq = db.prepare('SELECT json, created_at, address, expires_at FROM events WHERE seq = ?');
  }

  query(filter: Filter, options: QueryOptions): QueryResult {
    const limit = Math.min(filter.limit ?? options.limitMax, options.limitMax);
    if (isImpossible(filter)) return { events: [], complete: true };
    const answer = new Answer(limit, options, this.#vanishing.hides);
    const plan = planQuery(filter);
    if (plan.words) return this.#byWords(plan.words, filter, answer);
    if (plan.ids) return answer.of(this.#byIds(plan.ids, filter));

    const since = filter.since ?? 0;
    const until = filter.until ?? Number.MAX_SAFE_INTEGER;
    const fetches = plan.ranges.map((range) => this.#fetcher(range, since, until));
    const pageRows = Math.max(4, Math.min(256, Math.ceil((2 * (limit + 1)) / Math.max(1, fetches.length))));
    const rowsMax = filter.search === undefined ? ROWS_MAX : SEARCH_MATCHES_MAX;
    let passed = 0;
    for (const row of mergeRanges(fetches, pageRows)) {
      if (++passed > rowsMax) return answer.cut();
      if (plan.kinds && !plan.kinds.has(row.kind)) continue;
      const event = this.#row(row.seq)!;
      if (plan.check && !matchesFilter(filter, JSON.parse(event.json))) continue;
      if (!answer.take(event)) return answer.cut();
    }
    return answer.whole();
  }

  #fetcher(range: Range, since: number, until: number): FetchPage {
    const statement = this.#ranges[range.index];
    const bound: (Uint8Array | number)[] =
      range.index === 'author-kind'
        ? [range.pubkey, range.kind]
        : range.index === 'author'
          ? [range.pubkey]
          : range.index === 'kind'
            ? [range.kind]
            : range.index === 'tag'
              ? [range.key]
              : [];
    return (after, count) =>
      statement.all(
        ...bound,
        since,
        after?.created_at ?? until,
        after?.created_at ?? Number.MAX_SAFE_INTEGER,
        after?.head ?? -1,
        count,
      ) as unknown as IndexRow[];
  }

  #byIds(ids: readonly string[], filter: Filter): EventRow[] {
    const byId = this.#statements.sql(
      'SELECT json, created_at, address, expires_at FROM events WHERE id = ?',
    );
    return matching(
      filter,
      ids.map((id) => byId.get(bytesOf(id)) as EventRow | undefined),
    );
  }

  /** The latest matches that came here, in answering order. */
  #byWords(words: readonly string[], filter: Filter, answer: Answer): QueryResult {
    const found = this.#search.find(words);
    const rows = found.slice(0, SEARCH_MATCHES_MAX).map((seq) => this.#row(seq));
    const result = answer.of(matching(filter, rows));
    return found.length > SEARCH_MATCHES_MAX ? answer.cut() : result;
  }

  #row(seq: number): EventRow | undefined {
    return this.#bySeq.get(seq) as EventRow | undefined;
  }

  *eventsIn(range: Range): Generator<NostrEvent> {
    const fetch = this.#fetcher(range, 0, Number.MAX_SAFE_INTEGER);
    const own = this.#statements.sql(
      'SELECT json FROM events WHERE seq = ? AND seq NOT IN (SELECT seq FROM delivered)',
    );
    for (const { seq } of mergeRanges([fetch], 64)) {
      const row = own.get(seq);
      if (row) yield JSON.parse(row['json'] as string);
    }
  }
}

function matching(filter: Filter, rows: readonly (EventRow | undefined)[]): EventRow[] {
  const found = rows.filter((row) => row !== undefined && matchesFilter(filter, JSON.parse(row.json)));
  sortRows(found as EventRow[]);
  return found as EventRow[];
}
