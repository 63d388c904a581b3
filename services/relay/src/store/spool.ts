import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { NostrEvent } from '@covey/nostr';
import type { CommitQueue } from './commit-queue.ts';
import type { Spooling, WriteResult } from './event-store.ts';

export interface SpooledEvent {
  seq: number;
  event: NostrEvent;
  hops: number;
  /** Unix milliseconds. */
  spooledAtMs: number;
}

export interface SpoolOptions {
  /** Most events that wait for one member. */
  perMemberMax: number;
  /** Most bytes of events that wait, each counted once. */
  bytesMax: number;
}

/**
 * Events on their way to other members, durable in the member's own database: an entry goes when its member has said OK.
 * Bounded by member, so that one that is away for long takes no room from the others.
 */
export class Spool {
  readonly #db: DatabaseSync;
  readonly #commits: CommitQueue;
  readonly #options: SpoolOptions;
  readonly #waiting = new Map<string, number>();
  readonly #statements = new Map<string, StatementSync>();
  #bytes = 0;
  /** Called when an entry was committed for this member. */
  onAdded: (member: string) => void = () => {};

  constructor(db: DatabaseSync, commits: CommitQueue, options: SpoolOptions) {
    this.#db = db;
    this.#commits = commits;
    this.#options = options;
    this.#recount();
    commits.onRollback(() => this.#recount());
  }

  #recount(): void {
    this.#waiting.clear();
    this.#bytes = Number(this.#sql('SELECT coalesce(sum(length(json)), 0) AS n FROM spool').get()!['n']);
    for (const row of this.#sql('SELECT member, count(*) AS n FROM spool_destinations GROUP BY member').all())
      this.#waiting.set(row['member'] as string, Number(row['n']));
  }

  #sql(text: string): StatementSync {
    let statement = this.#statements.get(text);
    if (!statement) this.#statements.set(text, (statement = this.#db.prepare(text)));
    return statement;
  }

  /** Events that wait for this member. */
  waitingFor(member: string): number {
    return this.#waiting.get(member) ?? 0;
  }

  /** Members for which something waits. */
  get members(): string[] {
    return [...this.#waiting].filter(([, count]) => count > 0).map(([member]) => member);
  }

  /** Events that wait, counted once for every member that they wait for. */
  get waiting(): number {
    let total = 0;
    for (const count of this.#waiting.values()) total += count;
    return total;
  }

  /** Inside a transaction of the commit queue. An event that is in the spool already gains the destinations it lacks. */
  add(event: NostrEvent, { hops, destinations }: Spooling, nowMs: number): WriteResult {
    const open = destinations.filter((member) => this.waitingFor(member) < this.#options.perMemberMax);
    const dropped = destinations.filter((member) => !open.includes(member));
    if (open.length === 0) return { outcome: 'full', dropped };
    const id = Buffer.from(event.id, 'hex');
    const known = this.#sql('SELECT seq FROM spool WHERE id = ?').get(id);
    let seq = Number(known?.['seq']);
    if (!known) {
      const json = JSON.stringify(event);
      if (this.#bytes + json.length > this.#options.bytesMax)
        return { outcome: 'full', dropped: destinations };
      this.#bytes += json.length;
      seq = Number(
        this.#sql('INSERT INTO spool (id, hops, spooled_at, json) VALUES (?, ?, ?, ?)').run(
          id,
          hops,
          nowMs,
          json,
        ).lastInsertRowid,
      );
    }
    let added = 0;
    for (const member of open) {
      const { changes } = this.#sql(
        'INSERT OR IGNORE INTO spool_destinations (member, seq) VALUES (?, ?)',
      ).run(member, seq);
      if (!changes) continue;
      added++;
      this.#count(member, 1);
      // After the commit: this runs inside it, and promises of the batch settle when it is done.
      queueMicrotask(() => this.onAdded(member));
    }
    return { outcome: added > 0 ? 'spooled' : 'duplicate', dropped };
  }

  #count(member: string, change: number): void {
    this.#waiting.set(member, Math.max(0, this.waitingFor(member) + change));
  }

  /** The oldest entries for a member after entry `afterSeq`. */
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

  /** Strikes these entries off for this member: delivered, or never to be. */
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
      this.#count(member, -1);
      const gone = this.#sql(
        'DELETE FROM spool WHERE seq = ?1 AND NOT EXISTS (SELECT 1 FROM spool_destinations WHERE seq = ?1) RETURNING length(json) AS bytes',
      ).get(seq);
      if (gone) this.#bytes -= Number(gone['bytes']);
    }
  }

  /**
   * Sends what waits for `member` elsewhere, as a new table says: up to `count` entries after `afterSeq` are given the
   * destinations that `place` names, in one transaction.
   * @returns the last entry looked at, or undefined when there are no more
   */
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
