import type { DatabaseSync } from 'node:sqlite';
import type { NostrEvent } from '@covey/nostr';
import type { Spooling, WriteResult } from '../event-store.ts';
import type { Spool, SpooledEvent } from '../spool.ts';
import { SpoolBook, type SpoolBounds, type SpoolRows } from '../spool-book.ts';
import type { CommitQueue } from './commit-queue.ts';
import { bytesOf, Statements } from './statements.ts';

/** The spool in the member's own database. */
export class SqliteSpool implements Spool {
  readonly book: SpoolBook;
  readonly rows: SpoolRows;
  readonly #commits: CommitQueue;
  readonly #statements: Statements;

  constructor(db: DatabaseSync, commits: CommitQueue, bounds: SpoolBounds) {
    this.#commits = commits;
    this.#statements = new Statements(db);
    this.book = new SpoolBook(bounds);
    this.rows = new SqliteSpoolRows(this.#statements);
    this.#recount();
    commits.onRollback(() => this.#recount());
    commits.onCommitted(() => this.book.committed());
  }

  #sql(text: string) {
    return this.#statements.sql(text);
  }

  #recount(): void {
    const bytes = this.#sql('SELECT coalesce(sum(octet_length(json)), 0) AS n FROM spool').get()!['n'];
    const rows = this.#sql('SELECT member, count(*) AS n FROM spool_destinations GROUP BY member').all();
    this.book.load(
      Number(bytes),
      rows.map((row) => [row['member'] as string, Number(row['n'])]),
    );
  }

  set onAdded(told: (member: string, seq: number) => void) {
    this.book.onAdded = told;
  }

  get onAdded(): (member: string, seq: number) => void {
    return this.book.onAdded;
  }

  waitingFor(member: string): number {
    return this.book.waitingFor(member);
  }

  get members(): string[] {
    return this.book.members;
  }

  get waiting(): number {
    return this.book.waiting;
  }

  /** Inside a transaction of the commit queue. */
  add(event: NostrEvent, spooling: Spooling, nowMs: number): WriteResult {
    return this.book.add(this.rows, event, spooling, nowMs);
  }

  next(member: string, afterSeq: number, count: number): SpooledEvent[] {
    return this.#sql(
      `SELECT s.seq AS seq, s.hops AS hops, s.spooled_at AS spooled_at, s.json AS json
       FROM spool_destinations d JOIN spool s ON s.seq = d.seq WHERE d.member = ? AND d.seq > ? ORDER BY d.seq LIMIT ?`,
    )
      .all(member, afterSeq, count)
      .map((row) => ({
        seq: Number(row['seq']),
        event: JSON.parse(row['json'] as string),
        hops: Number(row['hops']),
        spooledAtMs: Number(row['spooled_at']),
      }));
  }

  async settle(member: string, seqs: readonly number[]): Promise<void> {
    if (seqs.length > 0) await this.#commits.run(() => this.#settle(member, seqs));
  }

  #settle(member: string, seqs: readonly number[]): void {
    for (const seq of seqs) {
      const { changes } = this.#sql('DELETE FROM spool_destinations WHERE member = ? AND seq = ?').run(
        member,
        seq,
      );
      if (!changes) continue;
      this.book.struck(member);
      const gone = this.#sql(
        'DELETE FROM spool WHERE seq = ?1 AND NOT EXISTS (SELECT 1 FROM spool_destinations WHERE seq = ?1) RETURNING octet_length(json) AS bytes',
      ).get(seq);
      if (gone) this.book.gone(Number(gone['bytes']));
    }
  }

  async reroute(
    member: string,
    afterSeq: number,
    count: number,
    place: (event: NostrEvent) => readonly string[],
    nowMs: number,
  ): Promise<number | undefined> {
    return await this.#commits.run(() => {
      const entries = this.next(member, afterSeq, count);
      for (const { seq, event, hops } of entries) {
        const destinations = place(event);
        if (destinations.includes(member)) continue;
        const { outcome } = this.add(event, { hops, destinations }, nowMs);
        if (destinations.length === 0 || outcome !== 'full') this.#settle(member, [seq]);
      }
      return entries.at(-1)?.seq;
    });
  }
}

class SqliteSpoolRows implements SpoolRows {
  readonly #statements: Statements;

  constructor(statements: Statements) {
    this.#statements = statements;
  }

  seqOf(id: string): number | undefined {
    const row = this.#statements.sql('SELECT seq FROM spool WHERE id = ?').get(bytesOf(id));
    return row && Number(row['seq']);
  }

  insert(event: NostrEvent, json: string, hops: number, nowMs: number): number {
    const { lastInsertRowid } = this.#statements
      .sql('INSERT INTO spool (id, hops, spooled_at, json) VALUES (?, ?, ?, ?)')
      .run(bytesOf(event.id), hops, nowMs, json);
    return Number(lastInsertRowid);
  }

  addDestination(member: string, seq: number): boolean {
    const { changes } = this.#statements
      .sql('INSERT OR IGNORE INTO spool_destinations (member, seq) VALUES (?, ?)')
      .run(member, seq);
    return Number(changes) > 0;
  }
}
