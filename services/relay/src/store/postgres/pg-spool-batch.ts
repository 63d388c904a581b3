import type { NostrEvent } from '@covey/nostr';
import type { SpoolRows } from '../spool-book.ts';
import type { Tx } from './connection.ts';
import type { Numbers } from './numbers.ts';
import { bytesOf, hexOf, list } from './values.ts';

/** The spool as far as some events concern it: read with one statement, changed in memory, written with two. */
export class SpoolBatch implements SpoolRows {
  readonly #numbers: Numbers;
  readonly #seqs = new Map<string, number>();
  readonly #destinations = new Set<string>();
  readonly #entries: { seq: number; event: NostrEvent; json: string; hops: number; atMs: number }[] = [];
  readonly #added: { member: string; seq: number }[] = [];

  private constructor(numbers: Numbers) {
    this.#numbers = numbers;
  }

  static async read(tx: Tx, ids: readonly string[], numbers: Numbers): Promise<SpoolBatch> {
    const batch = new SpoolBatch(numbers);
    if (ids.length === 0) return batch;
    const rows = await tx<{ id: Buffer; seq: number; members: string[] }[]>`
      SELECT s.id, s.seq, array(SELECT d.member FROM spool_destinations d WHERE d.seq = s.seq) AS members
      FROM spool s WHERE s.id = ANY(${list(tx, 'bytea', ids.map(bytesOf))}::bytea[])`;
    for (const { id, seq, members } of rows) {
      batch.#seqs.set(hexOf(id), seq);
      for (const member of members) batch.#destinations.add(`${seq} ${member}`);
    }
    return batch;
  }

  seqOf(id: string): number | undefined {
    return this.#seqs.get(id);
  }

  insert(event: NostrEvent, json: string, hops: number, nowMs: number): number {
    const seq = this.#numbers.next();
    this.#seqs.set(event.id, seq);
    this.#entries.push({ seq, event, json, hops, atMs: nowMs });
    return seq;
  }

  addDestination(member: string, seq: number): boolean {
    const key = `${seq} ${member}`;
    if (this.#destinations.has(key)) return false;
    this.#destinations.add(key);
    this.#added.push({ member, seq });
    return true;
  }

  async flush(tx: Tx): Promise<void> {
    const entries = this.#entries;
    await Promise.all([
      entries.length > 0 &&
        tx`INSERT INTO spool (seq, id, hops, spooled_at, json)
          SELECT * FROM unnest(
            ${list(
              tx,
              'bigint',
              entries.map(({ seq }) => seq),
            )}::bigint[],
            ${list(
              tx,
              'bytea',
              entries.map(({ event }) => bytesOf(event.id)),
            )}::bytea[],
            ${list(
              tx,
              'int',
              entries.map(({ hops }) => hops),
            )}::int[],
            ${list(
              tx,
              'bigint',
              entries.map(({ atMs }) => atMs),
            )}::bigint[],
            ${list(
              tx,
              'text',
              entries.map(({ json }) => json),
            )}::text[])`,
      this.#added.length > 0 &&
        tx`INSERT INTO spool_destinations (member, seq)
          SELECT * FROM unnest(${list(
            tx,
            'text',
            this.#added.map(({ member }) => member),
          )}::text[], ${list(
            tx,
            'bigint',
            this.#added.map(({ seq }) => seq),
          )}::bigint[])`,
    ]);
  }
}
