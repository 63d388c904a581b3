import type { DatabaseSync, StatementSync } from 'node:sqlite';
import {
  type Filter,
  KIND,
  matchesFilter,
  type NegentropyItem,
  type NostrEvent,
  supersedes,
} from '@covey/nostr';
import type { CommitQueue } from './commit-queue.ts';
import type {
  CountResult,
  EventStore,
  QueryOptions,
  QueryResult,
  StoredEvent,
  WriteOutcome,
  WriteRequest,
  WriteResult,
} from './event-store.ts';
import { addressOf, expirationOf, headOf, tagKeys } from './keys.ts';
import { type FetchPage, type IndexRow, mergeRanges } from './merge.ts';
import { planQuery, type Range } from './plan.ts';
import { isRetained, type RetentionRule } from './retention.ts';
import { SEARCH_MATCHES_MAX, SearchIndex } from './search-index.ts';
import type { Spool } from './spool.ts';
import { Vanished } from './vanished.ts';

/** Rows that one filter may pass over before its answer is cut and said to be incomplete. */
const ROWS_MAX = 50_000;
const EXPIRED_BATCH = 500;
/** Events read before the event loop gets a turn, when all that fit are asked for. */
const SNAPSHOT_PAGE = 2000;

const INDEX = {
  'author-kind': { from: 'events INDEXED BY events_by_author_kind', where: 'pubkey = ? AND kind = ?' },
  author: { from: 'events INDEXED BY events_by_author', where: 'pubkey = ?' },
  kind: { from: 'events INDEXED BY events_by_kind', where: 'kind = ?' },
  tag: { from: 'tags', where: 'key = ?' },
  time: { from: 'events INDEXED BY events_by_time', where: 'true' },
} as const satisfies Record<Range['index'], { from: string; where: string }>;

interface EventRow {
  json: string;
  created_at: number;
  address: string | null;
  expires_at: number | null;
}

/** Events in SQLite, found by index whatever the filter. Writes go through the commit queue, reads are immediate. */
export class SqliteStore implements EventStore {
  readonly #db: DatabaseSync;
  readonly #commits: CommitQueue;
  readonly #spool: Spool;
  readonly #clock: () => number;
  readonly #search: SearchIndex;
  readonly #vanished: Vanished;
  readonly #ranges = {} as Record<Range['index'], StatementSync>;
  readonly #statements = new Map<string, StatementSync>();
  #events: number;

  /** @param clock Unix milliseconds */
  constructor(db: DatabaseSync, commits: CommitQueue, spool: Spool, clock: () => number) {
    this.#db = db;
    this.#commits = commits;
    this.#spool = spool;
    this.#clock = clock;
    this.#search = new SearchIndex(db);
    this.#vanished = new Vanished(db);
    // A page of a range: what it is bound to, since, until, and the row that it comes after (created_at, head).
    for (const [name, { from, where }] of Object.entries(INDEX))
      this.#ranges[name as Range['index']] = db.prepare(
        `SELECT seq, created_at, head, kind FROM ${from} WHERE ${where} AND created_at >= ? AND created_at <= ?
         AND (created_at < ? OR head > ?) ORDER BY created_at DESC, head LIMIT ?`,
      );
    this.#events = this.#count();
    commits.onRollback(() => {
      this.#events = this.#count();
      this.#vanished.reload();
    });
  }

  #count(): number {
    return Number(this.#sql('SELECT count(*) AS n FROM events').get()!['n']);
  }

  #sql(text: string): StatementSync {
    let statement = this.#statements.get(text);
    if (!statement) this.#statements.set(text, (statement = this.#db.prepare(text)));
    return statement;
  }

  get events(): number {
    return this.#events;
  }

  get bytes(): number {
    const read = (name: string) => Number(this.#sql(`PRAGMA ${name}`).get()![name]);
    return read('page_count') * read('page_size');
  }

  write(request: WriteRequest): Promise<WriteResult> {
    return this.#commits.run(() => this.#write(request));
  }

  #write({ event, keep, unplaced, delivered, spool, vanish }: WriteRequest): WriteResult {
    if (vanish) this.#vanish(event);
    if (!keep) {
      if (!spool) return { outcome: 'duplicate', dropped: [] };
      return this.#spool.add(event, spool, this.#clock());
    }
    const { outcome, seq } = this.#store(event);
    let dropped: readonly string[] = [];
    if (outcome === 'stored') {
      if (unplaced) this.#sql('INSERT INTO unplaced (seq) VALUES (?)').run(seq);
      if (delivered) this.#sql('INSERT INTO delivered (seq) VALUES (?)').run(seq);
      if (spool && spool.destinations.length > 0) {
        const spooled = this.#spool.add(event, spool, this.#clock());
        // Members without room are repaired later; the event is safe here.
        dropped = spooled.outcome === 'full' ? spool.destinations : spooled.dropped;
      }
    }
    return { outcome, dropped };
  }

  #store(event: NostrEvent): { outcome: WriteOutcome; seq: number } {
    const none = (outcome: WriteOutcome) => ({ outcome, seq: 0 });
    const id = Buffer.from(event.id, 'hex');
    const pubkey = Buffer.from(event.pubkey, 'hex');
    const address = addressOf(event);
    if (this.#sql('SELECT 1 FROM events WHERE id = ?').get(id)) return none('duplicate');
    if (
      event.kind !== KIND.deletion &&
      this.#sql('SELECT 1 FROM deleted_ids WHERE id = ? AND pubkey = ?').get(id, pubkey)
    )
      return none('deleted');
    if (this.#vanished.covers(event)) return none('deleted');
    if (address !== undefined) {
      const deleted = this.#sql('SELECT until FROM deleted_addresses WHERE address = ?').get(address);
      if (deleted && Number(deleted['until']) >= event.created_at) return none('deleted');
      const current = this.#sql('SELECT seq, json FROM events WHERE address = ?').get(address);
      if (current) {
        const stored: NostrEvent = JSON.parse(current['json'] as string);
        if (!supersedes(event, stored)) return none('superseded');
        this.#remove(Number(current['seq']), stored);
      }
    }
    const head = headOf(event.id);
    const { lastInsertRowid } = this.#sql(
      'INSERT INTO events (id, pubkey, kind, created_at, head, expires_at, address, json) VALUES (?, ?, ?, ?, ?, ?, ?, ?)',
    ).run(
      id,
      pubkey,
      event.kind,
      event.created_at,
      head,
      expirationOf(event) ?? null,
      address ?? null,
      JSON.stringify(event),
    );
    const seq = Number(lastInsertRowid);
    const tag = this.#sql('INSERT INTO tags (key, created_at, head, seq, kind) VALUES (?, ?, ?, ?, ?)');
    for (const key of tagKeys(event)) tag.run(key, event.created_at, head, seq, event.kind);
    this.#search.add(seq, event);
    this.#events++;
    if (event.kind === KIND.deletion) this.#applyDeletion(event, pubkey);
    return { outcome: 'stored', seq };
  }

  /** NIP-09: removes what the author names, and remembers it, so that a late copy does not bring it back. */
  #applyDeletion(deletion: NostrEvent, pubkey: Buffer): void {
    for (const [name, value] of deletion.tags) {
      if (name === 'e' && value && /^[0-9a-f]{64}$/.test(value)) {
        const id = Buffer.from(value, 'hex');
        this.#sql('INSERT OR IGNORE INTO deleted_ids (id, pubkey) VALUES (?, ?)').run(id, pubkey);
        const row = this.#sql(
          'SELECT seq, json FROM events WHERE id = ? AND pubkey = ? AND kind NOT IN (5, 62)',
        ).get(id, pubkey);
        if (row) this.#remove(Number(row['seq']), JSON.parse(row['json'] as string));
      } else if (name === 'a' && value) {
        const address = this.#ownAddress(value, deletion.pubkey);
        if (!address) continue;
        this.#sql(
          'INSERT INTO deleted_addresses (address, until) VALUES (?1, ?2) ON CONFLICT DO UPDATE SET until = max(until, ?2)',
        ).run(address, deletion.created_at);
        const row = this.#sql('SELECT seq, json FROM events WHERE address = ? AND created_at <= ?').get(
          address,
          deletion.created_at,
        );
        if (row) this.#remove(Number(row['seq']), JSON.parse(row['json'] as string));
      }
    }
  }

  /** The address in an `a` tag in our form, when it belongs to this author. */
  #ownAddress(value: string, author: string): string | undefined {
    const match = /^(\d{1,5}):([0-9a-f]{64}):?(.*)$/s.exec(value);
    if (!match || match[2] !== author) return undefined;
    return addressOf({ kind: Number(match[1]), pubkey: author, tags: [['d', match[3]!]] });
  }

  #remove(seq: number, event: NostrEvent): void {
    const tag = this.#sql('DELETE FROM tags WHERE key = ? AND created_at = ? AND head = ? AND seq = ?');
    for (const key of tagKeys(event)) tag.run(key, event.created_at, headOf(event.id), seq);
    this.#sql('DELETE FROM events WHERE seq = ?').run(seq);
    this.#search.remove(seq, event.kind);
    this.#sql('DELETE FROM unplaced WHERE seq = ?').run(seq);
    this.#sql('DELETE FROM delivered WHERE seq = ?').run(seq);
    this.#events--;
  }

  /** NIP-62: a first batch goes in the same transaction as the request, the rest is hidden and follows. */
  #vanish(request: NostrEvent): void {
    this.#vanished.note(request.pubkey, request.created_at);
    this.#vanished.removeBatch((seq, event) => this.#remove(seq, event));
  }

  async removeVanished(): Promise<number> {
    if (this.#vanished.pending === 0) return 0;
    return await this.#commits.run(() =>
      this.#vanished.removeBatch((seq, event) => this.#remove(seq, event)),
    );
  }

  has(id: string, sig: string): boolean {
    const row = this.#sql('SELECT json FROM events WHERE id = ?').get(Buffer.from(id, 'hex'));
    return row !== undefined && (row['json'] as string).endsWith(`"sig":"${sig}"}`);
  }

  query(filter: Filter, options: QueryOptions): QueryResult {
    const limit = Math.min(filter.limit ?? options.limitMax, options.limitMax);
    const impossible = [filter.ids, filter.authors, filter.kinds, ...Object.values(filter.tags)].some(
      (list) => list?.length === 0,
    );
    if (impossible) return { events: [], complete: true };
    const plan = planQuery(filter);
    if (plan.words) return this.#byWords(plan.words, filter, limit, options);
    if (plan.ids) return this.#byIds(plan.ids, filter, limit, options);

    const since = filter.since ?? 0;
    const until = filter.until ?? Number.MAX_SAFE_INTEGER;
    const fetches = plan.ranges.map((range) => this.#fetcher(range, since, until));
    const pageRows = Math.max(4, Math.min(256, Math.ceil((2 * (limit + 1)) / Math.max(1, fetches.length))));
    const answer = this.#answer(limit, options);
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

  #byIds(ids: readonly string[], filter: Filter, limit: number, options: QueryOptions): QueryResult {
    const rows: EventRow[] = [];
    for (const id of ids) {
      const row = this.#sql('SELECT json, created_at, address, expires_at FROM events WHERE id = ?').get(
        Buffer.from(id, 'hex'),
      ) as EventRow | undefined;
      if (row && matchesFilter(filter, JSON.parse(row.json))) rows.push(row);
    }
    sortRows(rows);
    const answer = this.#answer(limit, options);
    for (const row of rows) if (!answer.take(row)) return answer.cut();
    return answer.whole();
  }

  /** The latest matches that came here, in answering order. */
  #byWords(words: readonly string[], filter: Filter, limit: number, options: QueryOptions): QueryResult {
    const found = this.#search.find(words);
    const rows: EventRow[] = [];
    for (const seq of found.slice(0, SEARCH_MATCHES_MAX)) {
      const row = this.#row(seq);
      if (row && matchesFilter(filter, JSON.parse(row.json))) rows.push(row);
    }
    sortRows(rows);
    const answer = this.#answer(limit, options);
    for (const row of rows) if (!answer.take(row)) return answer.cut();
    return found.length > SEARCH_MATCHES_MAX ? answer.cut() : answer.whole();
  }

  #row(seq: number): EventRow | undefined {
    return this.#sql('SELECT json, created_at, address, expires_at FROM events WHERE seq = ?').get(seq) as
      | EventRow
      | undefined;
  }

  #answer(limit: number, options: QueryOptions): Answer {
    return new Answer(limit, options, (json, createdAt) => this.#vanished.hides(json, createdAt));
  }

  count(
    filters: readonly Filter[],
    { now, mayRead, rowsMax }: Pick<QueryOptions, 'now' | 'mayRead'> & { rowsMax: number },
  ): CountResult {
    const seen = new Set<string>();
    const options: QueryOptions = { limitMax: rowsMax, bytesMax: Number.MAX_SAFE_INTEGER, now, mayRead };
    let exact = true;
    for (const { limit: _, ...filter } of filters) {
      const { events, complete } = this.query(filter, options);
      for (const { id } of events) seen.add(id);
      exact &&= complete;
    }
    return { count: seen.size, exact };
  }

  async itemsMatching(
    filter: Filter,
    { now, mayRead, itemsMax }: Pick<QueryOptions, 'now' | 'mayRead'> & { itemsMax: number },
  ): Promise<NegentropyItem[] | undefined> {
    const items: NegentropyItem[] = [];
    const options: QueryOptions = {
      limitMax: SNAPSHOT_PAGE,
      bytesMax: Number.MAX_SAFE_INTEGER,
      now,
      mayRead,
    };
    const wanted = Math.min(filter.limit ?? Number.MAX_SAFE_INTEGER, itemsMax + 1);
    const seen = new Set<string>();
    let until = filter.until;
    for (let page = SNAPSHOT_PAGE; ; ) {
      const { events, complete } = this.query(
        { ...filter, limit: page, ...(until === undefined ? {} : { until }) },
        { ...options, limitMax: page },
      );
      let fresh = 0;
      for (const { id, createdAt } of events) {
        if (seen.has(id) || items.length >= wanted) continue;
        seen.add(id);
        items.push({ id, createdAt });
        fresh++;
      }
      if (items.length >= wanted || complete) break;
      const last = events[events.length - 1];
      // A query that found nothing new within its bounds can't go on: its answer would have a hole.
      if (!last || (fresh === 0 && events.length < page)) return undefined;
      if (fresh === 0) page *= 4; // more events in one second than a page holds
      until = last.createdAt;
      await new Promise((resolve) => setImmediate(resolve));
    }
    return items.length > itemsMax ? undefined : items;
  }

  async removeExpired(now: number): Promise<number> {
    return await this.#commits.run(() => {
      const rows = this.#sql('SELECT seq, json FROM events WHERE expires_at <= ? LIMIT ?').all(
        now,
        EXPIRED_BATCH,
      );
      for (const row of rows) this.#remove(Number(row['seq']), JSON.parse(row['json'] as string));
      return rows.length;
    });
  }

  /**
   * Up to `count` events that were taken while no table was known. `place` decides where copies of each belong; the mark
   * goes and the copies are spooled in one transaction.
   * @returns how many were handled; 0 when none are left
   */
  async placeUnplaced(count: number, place: (event: NostrEvent) => readonly string[]): Promise<number> {
    return await this.#commits.run(() => {
      const rows = this.#sql(
        'SELECT u.seq AS seq, e.json AS json FROM unplaced u JOIN events e ON e.seq = u.seq ORDER BY u.seq LIMIT ?',
      ).all(count);
      for (const row of rows) {
        const event: NostrEvent = JSON.parse(row['json'] as string);
        const destinations = place(event);
        if (destinations.length > 0) {
          const { outcome } = this.#spool.add(event, { hops: 1, destinations }, this.#clock());
          if (outcome === 'full') return 0; // no room now: the rest keeps its mark
        }
        this.#sql('DELETE FROM unplaced WHERE seq = ?').run(Number(row['seq']));
      }
      return rows.length;
    });
  }

  /** The authors of stored events, ascending, from the first after `after`. */
  authors(after: string, count: number): string[] {
    const next = this.#sql('SELECT pubkey FROM events WHERE pubkey > ? ORDER BY pubkey LIMIT 1');
    const authors: string[] = [];
    for (let last = Buffer.from(after, 'hex'); authors.length < count; ) {
      const row = next.get(last);
      if (!row) break;
      last = Buffer.from(row['pubkey'] as Uint8Array);
      authors.push(last.toString('hex'));
    }
    return authors;
  }

  /** All events of a range that are here for their own sake, newest first, read page by page as they are taken. */
  *eventsIn(range: Range): Generator<NostrEvent> {
    const fetch = this.#fetcher(range, 0, Number.MAX_SAFE_INTEGER);
    for (const { seq } of mergeRanges([fetch], 64)) {
      const row = this.#sql(
        'SELECT json FROM events WHERE seq = ? AND seq NOT IN (SELECT seq FROM delivered)',
      ).get(seq);
      if (row) yield JSON.parse(row['json'] as string);
    }
  }

  /** Where a key (an author, or an event id) was handed over to last. */
  handedOver(key: string): string | undefined {
    const row = this.#sql('SELECT destinations FROM handed_over WHERE key = ?').get(Buffer.from(key, 'hex'));
    return row && (row['destinations'] as string);
  }

  /** Spools copies of events that are stored here; remembers, or with '' forgets, where `key` was handed over to. */
  async handOver(
    events: readonly NostrEvent[],
    destinations: readonly string[],
    mark?: { key: string; destinations: string },
  ): Promise<void> {
    await this.#commits.run(() => {
      for (const event of events) this.#spool.add(event, { hops: 1, destinations }, this.#clock());
      if (!mark) return;
      const key = Buffer.from(mark.key, 'hex');
      if (mark.destinations === '') this.#sql('DELETE FROM handed_over WHERE key = ?').run(key);
      else
        this.#sql('INSERT OR REPLACE INTO handed_over (key, destinations, at) VALUES (?, ?, ?)').run(
          key,
          mark.destinations,
          this.#clock(),
        );
    });
  }

  /** When a key was handed over to where it is now, Unix milliseconds. */
  handedOverAtMs(key: string): number | undefined {
    const row = this.#sql('SELECT at FROM handed_over WHERE key = ?').get(Buffer.from(key, 'hex'));
    return row && Number(row['at']);
  }

  /** Removes events that others have. Not as a deletion: they may come back. @returns how many were here */
  async removeIds(ids: readonly string[]): Promise<number> {
    if (ids.length === 0) return 0;
    return await this.#commits.run(() => {
      let removed = 0;
      for (const id of ids) {
        const row = this.#sql('SELECT seq, json FROM events WHERE id = ?').get(Buffer.from(id, 'hex'));
        if (!row) continue;
        this.#remove(Number(row['seq']), JSON.parse(row['json'] as string));
        removed++;
      }
      return removed;
    });
  }

  /** Removes what the rules do not keep, a batch at a time; how many went. */
  async removeUnretained(rules: readonly RetentionRule[], now: number): Promise<number> {
    return await this.#commits.run(() => {
      let removed = 0;
      for (const { from, to, seconds } of rules) {
        const rows = this.#sql(
          'SELECT seq, json, kind, created_at FROM events WHERE kind BETWEEN ? AND ? AND created_at < ? LIMIT ?',
        ).all(from, to, now - seconds, EXPIRED_BATCH);
        for (const row of rows) {
          if (isRetained(rules, row as unknown as { kind: number; created_at: number }, now)) continue;
          this.#remove(Number(row['seq']), JSON.parse(row['json'] as string));
          removed++;
        }
      }
      return removed;
    });
  }

  async close(): Promise<void> {
    this.#commits.drain();
    this.#db.close();
  }
}

/** `parseEvent` fixes the order of fields, so a stored event's id stands at a fixed place. */
function idOf(json: string): string {
  return json.slice(7, 71);
}

/** In answering order. */
function sortRows(rows: EventRow[]): void {
  rows.sort((a, b) => b.created_at - a.created_at || (idOf(a.json) < idOf(b.json) ? -1 : 1));
}

/** Collects an answer up to its bounds. */
class Answer {
  readonly #events: StoredEvent[] = [];
  readonly #limit: number;
  readonly #options: QueryOptions;
  readonly #isHidden: (json: string, createdAt: number) => boolean;
  #bytes = 0;

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

  whole(): QueryResult {
    return { events: this.#events, complete: true };
  }

  cut(): QueryResult {
    return { events: this.#events, complete: false };
  }
}
