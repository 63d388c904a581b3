import type { NostrEvent } from '@covey/nostr';
import type { Spool, SpooledEvent } from '../spool.ts';
import { SpoolBook, type SpoolBounds } from '../spool-book.ts';
import type { Connection, Sql, Tx } from './connection.ts';
import type { GroupCommit } from './group-commit.ts';
import type { Numbers } from './numbers.ts';
import { SpoolBatch } from './pg-spool-batch.ts';
import { list } from './values.ts';

interface Row {
  seq: number;
  hops: number;
  spooled_at: number;
  json: string;
}

/** The spool in the member's schema. */
export class PgSpool implements Spool {
  readonly book: SpoolBook;
  readonly #reads: Sql;
  readonly #commits: GroupCommit;
  readonly #numbers: Numbers;

  constructor(connection: Connection, commits: GroupCommit, numbers: Numbers, bounds: SpoolBounds) {
    this.#reads = connection.reads;
    this.#commits = commits;
    this.#numbers = numbers;
    this.book = new SpoolBook(bounds);
  }

  async recount(): Promise<void> {
    const [[size], members] = await Promise.all([
      this
        .#reads`SELECT coalesce(sum(octet_length(json)), 0)::bigint AS bytes, coalesce(max(seq), 0)::bigint AS last FROM spool`,
      this.#reads<
        { member: string; n: number }[]
      >`SELECT member, count(*)::bigint AS n FROM spool_destinations GROUP BY member`,
    ]);
    this.#numbers.load(size!['last'] as number);
    this.book.load(
      size!['bytes'] as number,
      members.map(({ member, n }) => [member, n]),
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

  next(member: string, afterSeq: number, count: number): Promise<SpooledEvent[]> {
    return this.#next(this.#reads, member, afterSeq, count);
  }

  async #next(sql: Sql | Tx, member: string, afterSeq: number, count: number): Promise<SpooledEvent[]> {
    const rows = await sql<Row[]>`SELECT s.seq, s.hops, s.spooled_at, s.json
      FROM spool_destinations d JOIN spool s ON s.seq = d.seq
      WHERE d.member = ${member} AND d.seq > ${afterSeq} ORDER BY d.seq LIMIT ${count}`;
    return rows.map(({ seq, hops, spooled_at, json }) => ({
      seq,
      hops,
      spooledAtMs: spooled_at,
      event: JSON.parse(json),
    }));
  }

  async settle(member: string, seqs: readonly number[]): Promise<void> {
    if (seqs.length > 0) await this.#commits.run((tx) => this.#settle(tx, member, seqs));
  }

  async #settle(tx: Tx, member: string, seqs: readonly number[]): Promise<void> {
    const struck =
      await tx`DELETE FROM spool_destinations WHERE member = ${member} AND seq = ANY(${list(tx, 'bigint', seqs)}::bigint[])`;
    for (let i = 0; i < struck.count; i++) this.book.struck(member);
    const gone = await tx<
      { bytes: number }[]
    >`DELETE FROM spool s WHERE seq = ANY(${list(tx, 'bigint', seqs)}::bigint[])
      AND NOT EXISTS (SELECT 1 FROM spool_destinations d WHERE d.seq = s.seq) RETURNING octet_length(json) AS bytes`;
    for (const { bytes } of gone) this.book.gone(bytes);
  }

  reroute(
    member: string,
    afterSeq: number,
    count: number,
    place: (event: NostrEvent) => readonly string[],
    nowMs: number,
  ): Promise<number | undefined> {
    return this.#commits.run(async (tx) => {
      const entries = await this.#next(tx, member, afterSeq, count);
      const batch = await SpoolBatch.read(
        tx,
        entries.map(({ event }) => event.id),
        this.#numbers,
      );
      const settled: number[] = [];
      for (const { seq, event, hops } of entries) {
        const destinations = place(event);
        if (destinations.includes(member)) continue;
        const { outcome } = this.book.add(batch, event, { hops, destinations }, nowMs);
        if (destinations.length === 0 || outcome !== 'full') settled.push(seq);
      }
      await batch.flush(tx);
      if (settled.length > 0) await this.#settle(tx, member, settled);
      return entries.at(-1)?.seq;
    });
  }
}
