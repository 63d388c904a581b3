import { type Filter, matchesFilter, type NostrEvent } from '@covey/nostr';
import { Answer, type EventRow, ROWS_MAX, SEARCH_MATCHES_MAX, sortRows } from '../answer.ts';
import type { QueryOptions, QueryResult } from '../event-store.ts';
import { isImpossible, planQuery, type Range } from '../plan.ts';
import type { Vanishing } from '../vanishing.ts';
import type { Sql } from './connection.ts';
import { findWords } from './pg-search.ts';
import { bytesOf, list } from './values.ts';

interface Row {
  seq: number;
  created_at: number;
  head: number;
  kind: number;
  expires_at: number | null;
  address: Buffer | null;
  json: string;
}

/** A place in answering order. */
interface Place {
  created_at: number;
  head: number;
}

export interface PageRequest {
  since: number;
  until: number;
  after: Place | undefined;
  kinds: readonly number[] | undefined;
  rows: number;
}

const PAGE_ROWS_MIN = 16;
const PAGE_ROWS_MAX = 1024;
const ALL_PAGE = 256;

/** The ranges of one index as a table of what they are bound to, and where its rows are. */
const SOURCE: Record<Range['index'], { ranges: string; from: string; where: string }> = {
  'author-kind': {
    ranges: 'unnest($1::bytea[], $2::int[]) k (pubkey, kind)',
    from: 'events',
    where: 'r.pubkey = k.pubkey AND r.kind = k.kind',
  },
  author: {
    ranges: 'unnest($1::bytea[], $2::int[]) k (pubkey)',
    from: 'events',
    where: 'r.pubkey = k.pubkey',
  },
  kind: {
    ranges: 'unnest($1::bytea[], $2::int[]) k (none, kind)',
    from: 'events',
    where: 'r.kind + 0 = k.kind',
  },
  tag: { ranges: 'unnest($1::bytea[], $2::int[]) k (key)', from: 'tags', where: 'r.key = k.key' },
  time: { ranges: '(SELECT $1::bytea[], $2::int[]) k', from: 'events', where: 'r.kind >= 0' },
};

/**
 * A page of ranges of one index, in answering order, each event once: from each range no more rows than the page has, read
 * from the index in that order. $3 since, $4 until, $5 and $6 the place after which it goes on, $7 kinds, $8 rows.
 */
export const PAGE = Object.fromEntries(
  Object.entries(SOURCE).map(([index, { ranges, from, where }]) => [
    index,
    `SELECT e.seq, e.created_at, e.head, e.kind, e.expires_at, e.address, e.json
     FROM (
       SELECT DISTINCT p.created_at, p.head, p.seq FROM ${ranges} CROSS JOIN LATERAL (
         SELECT r.seq, r.created_at, r.head FROM ${from} r
         WHERE ${where} AND r.created_at >= $3 AND r.created_at <= $4 AND (r.created_at < $5 OR r.head > $6)
         AND ($7::int[] IS NULL OR r.kind = ANY($7::int[]))
         ORDER BY r.created_at DESC, r.head LIMIT $8
       ) p ORDER BY p.created_at DESC, p.head, p.seq LIMIT $8
     ) found JOIN events e ON e.seq = found.seq ORDER BY e.created_at DESC, e.head, e.seq`,
  ]),
) as Record<Range['index'], string>;

const NO_BYTES = Buffer.alloc(0);

/** Finds events by index, whatever the filter, a page a statement. */
export class PgReads {
  readonly #sql: Sql;
  readonly #vanishing: Vanishing;

  constructor(sql: Sql, vanishing: Vanishing) {
    this.#sql = sql;
    this.#vanishing = vanishing;
  }

  async query(filter: Filter, options: QueryOptions): Promise<QueryResult> {
    const limit = Math.min(filter.limit ?? options.limitMax, options.limitMax);
    if (isImpossible(filter)) return { events: [], complete: true };
    const answer = new Answer(limit, options, this.#vanishing.hides);
    const plan = planQuery(filter);
    if (plan.words) return await this.#byWords(plan.words, filter, answer);
    if (plan.ids) return answer.of(matching(filter, await this.#byIds(plan.ids)));

    const rowsMax = filter.search === undefined ? ROWS_MAX : SEARCH_MATCHES_MAX;
    const kinds = plan.kinds ? [...plan.kinds] : undefined;
    let passed = 0;
    let after: Place | undefined;
    for (let rows = Math.max(PAGE_ROWS_MIN, Math.min(PAGE_ROWS_MAX, limit + 1)); ; ) {
      const page = await this.page(plan.ranges, {
        since: filter.since ?? 0,
        until: filter.until ?? Number.MAX_SAFE_INTEGER,
        after,
        kinds,
        rows,
      });
      for (const row of page) {
        if (++passed > rowsMax) return answer.cut();
        if (plan.check && !matchesFilter(filter, JSON.parse(row.json))) continue;
        if (!answer.take(eventRow(row))) return answer.cut();
      }
      if (page.length < rows) return answer.whole();
      after = page.at(-1)!;
      rows = Math.min(PAGE_ROWS_MAX, rows * 4);
    }
  }

  /** The next rows of ranges, all of one index. */
  async page(ranges: readonly Range[], { since, until, after, kinds, rows }: PageRequest): Promise<Row[]> {
    const keys = ranges.map((range) =>
      'pubkey' in range ? range.pubkey : 'key' in range ? range.key : NO_BYTES,
    );
    return await this.#sql.unsafe<Row[]>(
      PAGE[ranges[0]!.index],
      [
        list(this.#sql, 'bytea', keys),
        list(
          this.#sql,
          'int',
          ranges.map((range) => ('kind' in range ? range.kind : 0)),
        ),
        since,
        after?.created_at ?? until,
        after?.created_at ?? Number.MAX_SAFE_INTEGER,
        after?.head ?? -1,
        kinds ? list(this.#sql, 'int', kinds) : null,
        rows,
      ],
      { prepare: true },
    );
  }

  async #byIds(ids: readonly string[]): Promise<Row[]> {
    return await this.#sql<Row[]>`SELECT seq, created_at, head, kind, expires_at, address, json FROM events
      WHERE id = ANY(${list(this.#sql, 'bytea', ids.map(bytesOf))}::bytea[])`;
  }

  /** The latest matches that came here, in answering order. */
  async #byWords(words: readonly string[], filter: Filter, answer: Answer): Promise<QueryResult> {
    const found = await findWords(this.#sql, words);
    const seqs = found.slice(0, SEARCH_MATCHES_MAX);
    const rows = await this.#sql<
      Row[]
    >`SELECT seq, created_at, head, kind, expires_at, address, json FROM events
      WHERE seq = ANY(${list(this.#sql, 'bigint', seqs)}::bigint[])`;
    const result = answer.of(matching(filter, rows));
    return found.length > SEARCH_MATCHES_MAX ? answer.cut() : result;
  }

  /** The JSON of every event, what deletes first. */
  async *everything(): AsyncGenerator<string> {
    for (const deletes of [true, false])
      for (let last = 0; ; ) {
        const rows = await this.#sql<{ seq: number; json: string }[]>`SELECT seq, json FROM events
          WHERE seq > ${last} AND (kind IN (5, 62)) = ${deletes} ORDER BY seq LIMIT ${PAGE_ROWS_MAX}`;
        for (const { json } of rows) yield json;
        if (rows.length < PAGE_ROWS_MAX) break;
        last = rows.at(-1)!.seq;
      }
  }

  async *eventsIn(range: Range): AsyncGenerator<NostrEvent> {
    for (let after: Place | undefined; ; ) {
      const all = { since: 0, until: Number.MAX_SAFE_INTEGER, after, kinds: undefined, rows: ALL_PAGE };
      const page = await this.page([range], all);
      const seqs = page.map(({ seq }) => seq);
      const delivered = await this.#sql<
        { seq: number }[]
      >`SELECT seq FROM delivered WHERE seq = ANY(${list(this.#sql, 'bigint', seqs)}::bigint[])`;
      const others = new Set(delivered.map(({ seq }) => seq));
      for (const { seq, json } of page) if (!others.has(seq)) yield JSON.parse(json);
      if (page.length < ALL_PAGE) return;
      after = page.at(-1)!;
    }
  }
}

function eventRow({ json, created_at, address, expires_at }: Row): EventRow {
  return { json, created_at, address: address?.toString() ?? null, expires_at };
}

function matching(filter: Filter, rows: readonly Row[]): EventRow[] {
  const found = rows.filter(({ json }) => matchesFilter(filter, JSON.parse(json))).map(eventRow);
  sortRows(found);
  return found;
}
