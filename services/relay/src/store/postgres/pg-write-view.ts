import { KIND, type NostrEvent } from '@covey/nostr';
import type { WriteRequest } from '../event-store.ts';
import { addressOf, expirationOf, headOf, tagKeys } from '../keys.ts';
import type { Vanishing } from '../vanishing.ts';
import { accountsOf, deletionTargets, type StoredRow, type WriteView } from '../write-rules.ts';
import type { Tx } from './connection.ts';
import type { Numbers } from './numbers.ts';
import { indexedWords } from './pg-search.ts';
import { SpoolBatch } from './pg-spool-batch.ts';
import { digestOf, hexOf, list } from './values.ts';

interface Row {
  seq: number;
  id: Buffer;
  json: string;
}

/**
 * What is stored, as far as some writes can read or change it: read before them with one statement a table, changed in
 * memory, written after them with one statement a table. So a commit of many writes costs a few round trips.
 */
export class PgWriteView implements WriteView {
  readonly spool: SpoolBatch;
  readonly #numbers: Numbers;
  readonly #vanishing: Vanishing;
  readonly #ids = new Map<string, StoredRow | 'unread'>();
  readonly #byAddress = new Map<string, StoredRow>();
  readonly #deletedIds = new Set<string>();
  readonly #addressUntil = new Map<string, number>();
  readonly #vanishedUntil = new Map<string, number>();

  readonly #inserted = new Map<number, { event: NostrEvent; address: string | undefined }>();
  readonly #removed = new Map<number, NostrEvent>();
  readonly #unplaced: number[] = [];
  readonly #delivered: number[] = [];
  readonly #newDeletedIds: [id: string, pubkey: string][] = [];
  readonly #newAddressUntil = new Map<string, number>();
  readonly #newVanished = new Map<string, number>();
  /** Events more than before, by what was changed so far. */
  change = 0;

  private constructor(spool: SpoolBatch, numbers: Numbers, vanishing: Vanishing) {
    this.spool = spool;
    this.#numbers = numbers;
    this.#vanishing = vanishing;
  }

  static async read(
    tx: Tx,
    requests: readonly WriteRequest[],
    numbers: Numbers,
    vanishing: Vanishing,
  ): Promise<PgWriteView> {
    const kept = requests.filter(({ keep }) => keep).map(({ event }) => event);
    const targets = kept.filter(({ kind }) => kind === KIND.deletion).map(deletionTargets);
    const ids = kept.map(({ id }) => id);
    const targetIds = targets.flatMap((target) => target.ids);
    const addresses = [
      ...kept.flatMap((event) => addressOf(event) ?? []),
      ...targets.flatMap((target) => target.addresses),
    ];
    const accounts = [...new Set(kept.flatMap(accountsOf))];
    const spooled = requests.filter(({ spool }) => spool && spool.destinations.length > 0);
    const [spool, known, named, current, deleted, deletedAddresses, vanished] = await Promise.all([
      SpoolBatch.read(
        tx,
        spooled.map(({ event }) => event.id),
        numbers,
      ),
      tx<{ id: Buffer }[]>`SELECT id FROM events WHERE id = ANY(${list(tx, 'bytea', bytes(ids))}::bytea[])`,
      targetIds.length === 0
        ? []
        : tx<
            Row[]
          >`SELECT seq, id, json FROM events WHERE id = ANY(${list(tx, 'bytea', bytes(targetIds))}::bytea[])`,
      addresses.length === 0
        ? []
        : tx<Row[]>`SELECT seq, id, json FROM events WHERE address IS NOT NULL
            AND sha256(address) = ANY(${list(tx, 'bytea', addresses.map(digestOf))}::bytea[])`,
      tx<
        { id: Buffer; pubkey: Buffer }[]
      >`SELECT id, pubkey FROM deleted_ids WHERE id = ANY(${list(tx, 'bytea', bytes(ids))}::bytea[])`,
      addresses.length === 0
        ? []
        : tx<{ digest: Buffer; until: number }[]>`SELECT digest, until FROM deleted_addresses
            WHERE digest = ANY(${list(tx, 'bytea', addresses.map(digestOf))}::bytea[])`,
      tx<{ pubkey: Buffer; until: number }[]>`SELECT pubkey, until FROM vanished
        WHERE pubkey = ANY(${list(tx, 'bytea', bytes(accounts))}::bytea[])`,
    ]);
    const view = new PgWriteView(spool, numbers, vanishing);
    for (const { id } of known) view.#ids.set(hexOf(id), 'unread');
    for (const row of [...named, ...current]) {
      const event: NostrEvent = JSON.parse(row.json);
      const stored = { seq: row.seq, event };
      view.#ids.set(event.id, stored);
      const address = addressOf(event);
      if (address !== undefined) view.#byAddress.set(address, stored);
    }
    for (const { id, pubkey } of deleted) view.#deletedIds.add(hexOf(id) + hexOf(pubkey));
    const until = new Map(deletedAddresses.map((row) => [hexOf(row.digest), row.until]));
    for (const address of addresses) {
      const at = until.get(hexOf(digestOf(address)));
      if (at !== undefined) view.#addressUntil.set(address, at);
    }
    for (const row of vanished) view.#vanishedUntil.set(hexOf(row.pubkey), row.until);
    return view;
  }

  has(id: string): boolean {
    return this.#ids.has(id);
  }

  find(id: string, pubkey: string): StoredRow | undefined {
    const row = this.#ids.get(id);
    return row !== undefined && row !== 'unread' && row.event.pubkey === pubkey ? row : undefined;
  }

  current(address: string): StoredRow | undefined {
    return this.#byAddress.get(address);
  }

  isDeleted(id: string, pubkey: string): boolean {
    return this.#deletedIds.has(id + pubkey);
  }

  addressDeletedUntil(address: string): number | undefined {
    return this.#addressUntil.get(address);
  }

  vanishedUntil(pubkey: string): number | undefined {
    return this.#vanishedUntil.get(pubkey);
  }

  insert(event: NostrEvent, address: string | undefined): number {
    const seq = this.#numbers.next();
    this.#inserted.set(seq, { event, address });
    this.#ids.set(event.id, { seq, event });
    if (address !== undefined) this.#byAddress.set(address, { seq, event });
    this.change++;
    return seq;
  }

  remove(seq: number, event: NostrEvent): void {
    if (!this.#inserted.delete(seq)) this.#removed.set(seq, event);
    this.#ids.delete(event.id);
    const address = addressOf(event);
    if (address !== undefined) this.#byAddress.delete(address);
    this.change--;
  }

  noteDeletedId(id: string, pubkey: string): void {
    this.#deletedIds.add(id + pubkey);
    this.#newDeletedIds.push([id, pubkey]);
  }

  noteDeletedAddress(address: string, until: number): void {
    const latest = Math.max(until, this.#addressUntil.get(address) ?? 0);
    this.#addressUntil.set(address, latest);
    this.#newAddressUntil.set(address, latest);
  }

  markUnplaced(seq: number): void {
    this.#unplaced.push(seq);
  }

  markDelivered(seq: number): void {
    this.#delivered.push(seq);
  }

  /** What the account wrote is hidden from now on, and goes in batches of its own. */
  vanish(pubkey: string, until: number): void {
    const latest = Math.max(until, this.#vanishedUntil.get(pubkey) ?? 0);
    this.#vanishedUntil.set(pubkey, latest);
    this.#newVanished.set(pubkey, latest);
    this.#vanishing.add(pubkey, latest);
  }

  /** Carries out what was changed. */
  async flush(tx: Tx): Promise<void> {
    await removeEvents(tx, this.#removed);
    await this.#insertEvents(tx);
    const isThere = (seq: number) => this.#inserted.has(seq);
    await Promise.all([
      insertNumbers(tx, 'unplaced', this.#unplaced.filter(isThere)),
      insertNumbers(tx, 'delivered', this.#delivered.filter(isThere)),
      this.#newDeletedIds.length > 0 &&
        tx`INSERT INTO deleted_ids (id, pubkey)
          SELECT * FROM unnest(${list(tx, 'bytea', bytes(this.#newDeletedIds.map(([id]) => id)))}::bytea[], ${list(tx, 'bytea', bytes(this.#newDeletedIds.map(([, pubkey]) => pubkey)))}::bytea[])
          ON CONFLICT DO NOTHING`,
      this.#newAddressUntil.size > 0 &&
        tx`INSERT INTO deleted_addresses (digest, until)
          SELECT * FROM unnest(${list(tx, 'bytea', [...this.#newAddressUntil.keys()].map(digestOf))}::bytea[], ${list(tx, 'bigint', [...this.#newAddressUntil.values()])}::bigint[])
          ON CONFLICT (digest) DO UPDATE SET until = greatest(deleted_addresses.until, excluded.until)`,
      this.#newVanished.size > 0 &&
        tx`INSERT INTO vanished (pubkey, until, pending)
          SELECT pubkey, until, true FROM unnest(${list(tx, 'bytea', bytes([...this.#newVanished.keys()]))}::bytea[], ${list(tx, 'bigint', [...this.#newVanished.values()])}::bigint[]) v (pubkey, until)
          ON CONFLICT (pubkey) DO UPDATE SET until = greatest(vanished.until, excluded.until), pending = true`,
      this.spool.flush(tx),
    ]);
  }

  async #insertEvents(tx: Tx): Promise<void> {
    if (this.#inserted.size === 0) return;
    const rows = [...this.#inserted].map(([seq, { event, address }]) => ({ seq, event, address }));
    const tags = rows.flatMap(({ seq, event }) => tagKeys(event).map((key) => ({ seq, event, key })));
    const searched = rows.flatMap(({ seq, event }) => {
      const words = indexedWords(event);
      return words ? [{ seq, words: words.join(' ') }] : [];
    });
    await Promise.all([
      tx`INSERT INTO events (seq, id, pubkey, kind, created_at, head, expires_at, address, json)
        SELECT * FROM unnest(
          ${list(
            tx,
            'bigint',
            rows.map(({ seq }) => seq),
          )}::bigint[],
          ${list(tx, 'bytea', bytes(rows.map(({ event }) => event.id)))}::bytea[],
          ${list(tx, 'bytea', bytes(rows.map(({ event }) => event.pubkey)))}::bytea[],
          ${list(
            tx,
            'int',
            rows.map(({ event }) => event.kind),
          )}::int[],
          ${list(
            tx,
            'bigint',
            rows.map(({ event }) => event.created_at),
          )}::bigint[],
          ${list(
            tx,
            'bigint',
            rows.map(({ event }) => headOf(event.id)),
          )}::bigint[],
          ${list(
            tx,
            'bigint',
            rows.map(({ event }) => expirationOf(event) ?? null),
          )}::bigint[],
          ${list(
            tx,
            'bytea',
            rows.map(({ address }) => (address === undefined ? null : Buffer.from(address))),
          )}::bytea[],
          ${list(
            tx,
            'text',
            rows.map(({ event }) => JSON.stringify(event)),
          )}::text[])`,
      tags.length > 0 &&
        tx`INSERT INTO tags (key, created_at, head, seq, kind)
          SELECT * FROM unnest(
            ${list(
              tx,
              'bytea',
              tags.map(({ key }) => key),
            )}::bytea[],
            ${list(
              tx,
              'bigint',
              tags.map(({ event }) => event.created_at),
            )}::bigint[],
            ${list(
              tx,
              'bigint',
              tags.map(({ event }) => headOf(event.id)),
            )}::bigint[],
            ${list(
              tx,
              'bigint',
              tags.map(({ seq }) => seq),
            )}::bigint[],
            ${list(
              tx,
              'int',
              tags.map(({ event }) => event.kind),
            )}::int[])`,
      searched.length > 0 &&
        tx`INSERT INTO search (seq, words)
          SELECT seq, string_to_array(words, ' ') FROM unnest(
            ${list(
              tx,
              'bigint',
              searched.map(({ seq }) => seq),
            )}::bigint[], ${list(
              tx,
              'text',
              searched.map(({ words }) => words),
            )}::text[]) s (seq, words)`,
    ]);
  }
}

/** Removes events with all that belongs to them, inside a transaction. */
export async function removeEvents(tx: Tx, events: ReadonlyMap<number, NostrEvent>): Promise<void> {
  if (events.size === 0) return;
  const seqs = [...events.keys()];
  const tags = [...events].flatMap(([seq, event]) => tagKeys(event).map((key) => ({ seq, event, key })));
  await Promise.all([
    tx`DELETE FROM events WHERE seq = ANY(${list(tx, 'bigint', seqs)}::bigint[])`,
    tags.length > 0 &&
      tx`DELETE FROM tags USING unnest(
          ${list(
            tx,
            'bytea',
            tags.map(({ key }) => key),
          )}::bytea[],
          ${list(
            tx,
            'bigint',
            tags.map(({ event }) => event.created_at),
          )}::bigint[],
          ${list(
            tx,
            'bigint',
            tags.map(({ event }) => headOf(event.id)),
          )}::bigint[],
          ${list(
            tx,
            'bigint',
            tags.map(({ seq }) => seq),
          )}::bigint[]) gone (key, created_at, head, seq)
        WHERE tags.key = gone.key AND tags.created_at = gone.created_at AND tags.head = gone.head AND tags.seq = gone.seq`,
    tx`DELETE FROM search WHERE seq = ANY(${list(tx, 'bigint', seqs)}::bigint[])`,
    tx`DELETE FROM unplaced WHERE seq = ANY(${list(tx, 'bigint', seqs)}::bigint[])`,
    tx`DELETE FROM delivered WHERE seq = ANY(${list(tx, 'bigint', seqs)}::bigint[])`,
  ]);
}

function insertNumbers(tx: Tx, table: 'unplaced' | 'delivered', seqs: readonly number[]): unknown {
  return (
    seqs.length > 0 &&
    tx`INSERT INTO ${tx(table)} (seq) SELECT unnest(${list(tx, 'bigint', seqs as number[])}::bigint[])`
  );
}

const bytes = (hex: readonly string[]): Buffer[] => hex.map((text) => Buffer.from(text, 'hex'));
