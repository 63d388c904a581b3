import { type Filter, KIND, type NegentropyItem, type NostrEvent } from '@covey/nostr';
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
import { tagKey } from '../keys.ts';
import type { Range } from '../plan.ts';
import { countMatching, itemsMatching } from '../read-all.ts';
import { disjointRules, type RetentionRule } from '../retention.ts';
import type { Vanishing } from '../vanishing.ts';
import { applyWrite } from '../write-rules.ts';
import type { Sql, Tx } from './connection.ts';
import type { GroupCommit } from './group-commit.ts';
import type { Numbers } from './numbers.ts';
import type { PgReads } from './pg-reads.ts';
import type { PgSpool } from './pg-spool.ts';
import { SpoolBatch } from './pg-spool-batch.ts';
import { PgWriteView, removeEvents } from './pg-write-view.ts';
import { bytesOf, hexOf, list } from './values.ts';

/** Events removed in one transaction. */
const REMOVED_BATCH = 500;
/** The size on the disk is asked for this often at most. */
const SIZE_MS = 30_000;

interface StoredJson {
  seq: number;
  json: string;
}

export interface PgStoreOptions {
  sql: Sql;
  commits: GroupCommit;
  reads: PgReads;
  spool: PgSpool;
  numbers: Numbers;
  vanishing: Vanishing;
  schema: string;
  /** Unix milliseconds. */
  clock: () => number;
}

/** Events in PostgreSQL. Writes share transactions, reads go to connections of their own. */
export class PgStore implements EventStore {
  readonly #options: PgStoreOptions;
  #events = 0;
  #bytes = 0;
  #sizedAtMs = Number.NEGATIVE_INFINITY;

  constructor(options: PgStoreOptions) {
    this.#options = options;
  }

  get events(): number {
    return this.#events;
  }

  get bytes(): number {
    if (performance.now() - this.#sizedAtMs > SIZE_MS) void this.#measure();
    return this.#bytes;
  }

  async #measure(): Promise<void> {
    this.#sizedAtMs = performance.now();
    const { sql, schema } = this.#options;
    try {
      const [row] = await sql`SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0)::bigint AS bytes
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = ${schema} AND c.relkind = 'r'`;
      this.#bytes = row!['bytes'] as number;
    } catch {
      // Out of reach: the last size stands.
    }
  }

  /** Counts anew what is kept in memory: at the start, and after a transaction was undone. */
  async recount(): Promise<void> {
    const { sql, numbers, vanishing } = this.#options;
    const [[all], pending] = await Promise.all([
      sql`SELECT count(*)::bigint AS n, coalesce(max(seq), 0)::bigint AS last FROM events`,
      sql<{ pubkey: Buffer; until: number }[]>`SELECT pubkey, until FROM vanished WHERE pending`,
      this.#measure(),
    ]);
    this.#events = all!['n'] as number;
    numbers.load(all!['last'] as number);
    vanishing.load(pending.map(({ pubkey, until }) => [hexOf(pubkey), until]));
  }

  write(request: WriteRequest): Promise<WriteResult> {
    return this.#options.commits.write(request);
  }

  /** What the group commit does with writes. */
  async writeAll(tx: Tx, requests: readonly WriteRequest[]): Promise<WriteResult[]> {
    const { numbers, vanishing, spool, clock } = this.#options;
    const view = await PgWriteView.read(tx, requests, numbers, vanishing);
    const nowMs = clock();
    const results = requests.map((request) => applyWrite(view, spool.book, request, nowMs));
    await view.flush(tx);
    this.#events += view.change;
    return results;
  }

  async has(id: string, sig: string): Promise<boolean> {
    const [row] = await this.#options.sql<
      { json: string }[]
    >`SELECT json FROM events WHERE id = ${bytesOf(id)}`;
    return row?.json.endsWith(`"sig":"${sig}"}`) ?? false;
  }

  query(filter: Filter, options: QueryOptions): Promise<QueryResult> {
    return this.#options.reads.query(filter, options);
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

  eventsIn(range: Range): AsyncGenerator<NostrEvent> {
    return this.#options.reads.eventsIn(range);
  }

  async #remove(tx: Tx, rows: readonly StoredJson[]): Promise<number> {
    await removeEvents(tx, new Map(rows.map(({ seq, json }) => [seq, JSON.parse(json)])));
    this.#events -= rows.length;
    return rows.length;
  }

  async removeVanished(): Promise<number> {
    const { commits, vanishing } = this.#options;
    if (vanishing.size === 0) return 0;
    return await commits.run(async (tx) => {
      for (let next = vanishing.next; next; next = vanishing.next) {
        const [pubkey, until] = next;
        const rows = await tx<StoredJson[]>`
          (SELECT seq, json FROM events WHERE pubkey = ${bytesOf(pubkey)} AND created_at <= ${until} AND kind <> ${KIND.vanish}
            LIMIT ${REMOVED_BATCH})
          UNION
          (SELECT e.seq, e.json FROM tags t JOIN events e ON e.seq = t.seq WHERE t.key = ${tagKey('p', pubkey) as Buffer}
            AND t.kind = ${KIND.sealedDm} AND t.created_at <= ${until} LIMIT ${REMOVED_BATCH})`;
        if (rows.length > 0) return await this.#remove(tx, rows);
        await tx`UPDATE vanished SET pending = false WHERE pubkey = ${bytesOf(pubkey)}`;
        vanishing.done(pubkey);
      }
      return 0;
    });
  }

  removeExpired(now: number): Promise<number> {
    return this.#options.commits.run(async (tx) =>
      this.#remove(
        tx,
        await tx<
          StoredJson[]
        >`SELECT seq, json FROM events WHERE expires_at <= ${now} LIMIT ${REMOVED_BATCH}`,
      ),
    );
  }

  removeUnretained(rules: readonly RetentionRule[], now: number): Promise<number> {
    return this.#options.commits.run(async (tx) => {
      let removed = 0;
      for (const { from, to, seconds } of disjointRules(rules))
        removed += await this.#remove(
          tx,
          await tx<StoredJson[]>`SELECT seq, json FROM events
            WHERE kind + 0 BETWEEN ${from} AND ${to} AND created_at < ${now - seconds} LIMIT ${REMOVED_BATCH}`,
        );
      return removed;
    });
  }

  async removeIds(ids: readonly string[]): Promise<number> {
    if (ids.length === 0) return 0;
    return await this.#options.commits.run(async (tx) =>
      this.#remove(
        tx,
        await tx<
          StoredJson[]
        >`SELECT seq, json FROM events WHERE id = ANY(${list(tx, 'bytea', ids.map(bytesOf))}::bytea[])`,
      ),
    );
  }

  placeUnplaced(count: number, place: (event: NostrEvent) => readonly string[]): Promise<number> {
    const { commits, spool, numbers, clock } = this.#options;
    return commits.run(async (tx) => {
      const rows = await tx<StoredJson[]>`
        SELECT u.seq, e.json FROM unplaced u JOIN events e ON e.seq = u.seq ORDER BY u.seq LIMIT ${count}`;
      const events = rows.map(({ seq, json }) => ({ seq, event: JSON.parse(json) as NostrEvent }));
      const batch = await SpoolBatch.read(
        tx,
        events.map(({ event }) => event.id),
        numbers,
      );
      const placed: number[] = [];
      let isFull = false;
      for (const { seq, event } of events) {
        const destinations = place(event);
        if (destinations.length > 0)
          isFull = spool.book.add(batch, event, { hops: 1, destinations }, clock()).outcome === 'full';
        if (isFull) break; // no room now: the rest keeps its mark
        placed.push(seq);
      }
      await batch.flush(tx);
      await tx`DELETE FROM unplaced WHERE seq = ANY(${list(tx, 'bigint', placed)}::bigint[])`;
      return isFull ? 0 : rows.length;
    });
  }

  async authors(after: string, count: number): Promise<string[]> {
    // A walk from author to author along the index.
    const rows = await this.#options.sql<{ pubkey: Buffer }[]>`
      WITH RECURSIVE a AS (
        (SELECT pubkey FROM events WHERE pubkey > ${bytesOf(after)} ORDER BY pubkey LIMIT 1)
        UNION ALL
        SELECT (SELECT e.pubkey FROM events e WHERE e.pubkey > a.pubkey ORDER BY e.pubkey LIMIT 1) FROM a WHERE a.pubkey IS NOT NULL
      ) SELECT pubkey FROM a WHERE pubkey IS NOT NULL LIMIT ${count}`;
    return rows.map(({ pubkey }) => hexOf(pubkey));
  }

  async handedOver(key: string): Promise<HandedOver | undefined> {
    const [row] = await this.#options.sql<{ destinations: string; at: number }[]>`
      SELECT destinations, at FROM handed_over WHERE key = ${bytesOf(key)}`;
    return row && { destinations: row.destinations, atMs: row.at };
  }

  async handOver(
    events: readonly NostrEvent[],
    destinations: readonly string[],
    mark?: { key: string; destinations: string },
  ): Promise<void> {
    const { commits, spool, numbers, clock } = this.#options;
    await commits.run(async (tx) => {
      const batch = await SpoolBatch.read(
        tx,
        events.map(({ id }) => id),
        numbers,
      );
      for (const event of events) spool.book.add(batch, event, { hops: 1, destinations }, clock());
      await batch.flush(tx);
      if (!mark) return;
      const key = bytesOf(mark.key);
      if (mark.destinations === '') await tx`DELETE FROM handed_over WHERE key = ${key}`;
      else
        await tx`INSERT INTO handed_over (key, destinations, at) VALUES (${key}, ${mark.destinations}, ${clock()})
          ON CONFLICT (key) DO UPDATE SET destinations = excluded.destinations, at = excluded.at`;
    });
  }
}
