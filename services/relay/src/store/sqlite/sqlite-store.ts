import type { DatabaseSync } from 'node:sqlite';
import type { Filter, NegentropyItem, NostrEvent } from '@covey/nostr';
import type {
  Asking,
  CountOptions,
  CountResult,
  EventStore,
  HandedOver,
  QueryOptions,
  QueryResult,
  WriteRequest,
  WriteResult,
} from '../event-store.ts';
import type { Range } from '../plan.ts';
import { countMatching, itemsMatching } from '../read-all.ts';
import { disjointRules, type RetentionRule } from '../retention.ts';
import { Vanishing } from '../vanishing.ts';
import { applyWrite } from '../write-rules.ts';
import type { CommitQueue } from './commit-queue.ts';
import { SqliteReads } from './sqlite-reads.ts';
import { SqliteSearch } from './sqlite-search.ts';
import type { SqliteSpool } from './sqlite-spool.ts';
import { loadVanishing, removeVanishedBatch } from './sqlite-vanish.ts';
import { SqliteWrites } from './sqlite-writes.ts';
import { bytesOf, hexOf, Statements } from './statements.ts';

/** Events removed in one transaction. */
const REMOVED_BATCH = 500;

/** Events in SQLite, found by index whatever the filter. Writes go through the commit queue, reads are immediate. */
export class SqliteStore implements EventStore {
  readonly #commits: CommitQueue;
  readonly #spool: SqliteSpool;
  readonly #clock: () => number;
  readonly #statements: Statements;
  readonly #vanishing = new Vanishing();
  readonly #writes: SqliteWrites;
  readonly #reads: SqliteReads;

  /** @param clock Unix milliseconds */
  constructor(db: DatabaseSync, commits: CommitQueue, spool: SqliteSpool, clock: () => number) {
    this.#commits = commits;
    this.#spool = spool;
    this.#clock = clock;
    this.#statements = new Statements(db);
    const search = new SqliteSearch(db);
    loadVanishing(this.#statements, this.#vanishing);
    this.#writes = new SqliteWrites({
      statements: this.#statements,
      search,
      vanishing: this.#vanishing,
      spool: spool.rows,
    });
    this.#reads = new SqliteReads(db, this.#statements, search, this.#vanishing);
    commits.onRollback(() => {
      this.#writes.recount();
      loadVanishing(this.#statements, this.#vanishing);
    });
  }

  #sql(text: string) {
    return this.#statements.sql(text);
  }

  get events(): number {
    return this.#writes.events;
  }

  get bytes(): number {
    const read = (name: string) => Number(this.#sql(`PRAGMA ${name}`).get()![name]);
    return read('page_count') * read('page_size');
  }

  write(request: WriteRequest): Promise<WriteResult> {
    return this.#commits.run(() => applyWrite(this.#writes, this.#spool.book, request, this.#clock()));
  }

  has(id: string, sig: string): boolean {
    const row = this.#sql('SELECT json FROM events WHERE id = ?').get(bytesOf(id));
    return row !== undefined && (row['json'] as string).endsWith(`"sig":"${sig}"}`);
  }

  query(filter: Filter, options: QueryOptions): QueryResult {
    return this.#reads.query(filter, options);
  }

  count(filters: readonly Filter[], options: CountOptions): Promise<CountResult> {
    return countMatching(this, filters, options);
  }

  itemsMatching(
    filter: Filter,
    options: Asking & { itemsMax: number },
  ): Promise<NegentropyItem[] | undefined> {
    return itemsMatching(this, filter, options);
  }

  eventsIn(range: Range): Generator<NostrEvent> {
    return this.#reads.eventsIn(range);
  }

  #removeRows(rows: readonly Record<string, unknown>[]): number {
    for (const row of rows) this.#writes.remove(Number(row['seq']), JSON.parse(row['json'] as string));
    return rows.length;
  }

  async removeVanished(): Promise<number> {
    if (this.#vanishing.size === 0) return 0;
    return await this.#commits.run(() =>
      removeVanishedBatch(this.#statements, this.#vanishing, this.#writes.remove),
    );
  }

  async removeExpired(now: number): Promise<number> {
    const expired = this.#sql('SELECT seq, json FROM events WHERE expires_at <= ? LIMIT ?');
    return await this.#commits.run(() => this.#removeRows(expired.all(now, REMOVED_BATCH)));
  }

  async removeUnretained(rules: readonly RetentionRule[], now: number): Promise<number> {
    const old = this.#sql(
      'SELECT seq, json FROM events WHERE kind BETWEEN ? AND ? AND created_at < ? LIMIT ?',
    );
    return await this.#commits.run(() => {
      let removed = 0;
      for (const { from, to, seconds } of disjointRules(rules)) {
        removed += this.#removeRows(old.all(from, to, now - seconds, REMOVED_BATCH));
      }
      return removed;
    });
  }

  async removeIds(ids: readonly string[]): Promise<number> {
    if (ids.length === 0) return 0;
    const byId = this.#sql('SELECT seq, json FROM events WHERE id = ?');
    return await this.#commits.run(() =>
      this.#removeRows(ids.map((id) => byId.get(bytesOf(id))).filter((row) => row !== undefined)),
    );
  }

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

  authors(after: string, count: number): string[] {
    const next = this.#sql('SELECT pubkey FROM events WHERE pubkey > ? ORDER BY pubkey LIMIT 1');
    const authors: string[] = [];
    for (let last = after; authors.length < count; ) {
      const row = next.get(bytesOf(last));
      if (!row) break;
      last = hexOf(row['pubkey']);
      authors.push(last);
    }
    return authors;
  }

  handedOver(key: string): HandedOver | undefined {
    const row = this.#sql('SELECT destinations, at FROM handed_over WHERE key = ?').get(bytesOf(key));
    return row && { destinations: row['destinations'] as string, atMs: Number(row['at']) };
  }

  async handOver(
    events: readonly NostrEvent[],
    destinations: readonly string[],
    mark?: { key: string; destinations: string },
  ): Promise<void> {
    await this.#commits.run(() => {
      for (const event of events) this.#spool.add(event, { hops: 1, destinations }, this.#clock());
      if (!mark) return;
      const key = bytesOf(mark.key);
      if (mark.destinations === '') this.#sql('DELETE FROM handed_over WHERE key = ?').run(key);
      else
        this.#sql('INSERT OR REPLACE INTO handed_over (key, destinations, at) VALUES (?, ?, ?)').run(
          key,
          mark.destinations,
          this.#clock(),
        );
    });
  }
}
