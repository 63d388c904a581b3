import type { NostrEvent } from '@covey/nostr';
import { expirationOf, headOf, tagKeys } from '../keys.ts';
import type { SpoolRows } from '../spool-book.ts';
import type { Vanishing } from '../vanishing.ts';
import type { StoredRow, WriteView } from '../write-rules.ts';
import type { SqliteSearch } from './sqlite-search.ts';
import { removeVanishedBatch } from './sqlite-vanish.ts';
import { bytesOf, type Statements } from './statements.ts';

export interface SqliteWritesOptions {
  statements: Statements;
  search: SqliteSearch;
  vanishing: Vanishing;
  spool: SpoolRows;
}

/** What the rules of writing read and change, in SQLite, inside the commit queue's transaction. Keeps count of events. */
export class SqliteWrites implements WriteView {
  readonly #statements: Statements;
  readonly #search: SqliteSearch;
  readonly #vanishing: Vanishing;
  readonly spool: SpoolRows;
  events = 0;

  constructor({ statements, search, vanishing, spool }: SqliteWritesOptions) {
    this.#statements = statements;
    this.#search = search;
    this.#vanishing = vanishing;
    this.spool = spool;
    this.recount();
  }

  recount(): void {
    this.events = Number(this.#sql('SELECT count(*) AS n FROM events').get()!['n']);
  }

  #sql(text: string) {
    return this.#statements.sql(text);
  }

  has(id: string): boolean {
    return this.#sql('SELECT 1 FROM events WHERE id = ?').get(bytesOf(id)) !== undefined;
  }

  find(id: string, pubkey: string): StoredRow | undefined {
    return stored(
      this.#sql('SELECT seq, json FROM events WHERE id = ? AND pubkey = ?').get(bytesOf(id), bytesOf(pubkey)),
    );
  }

  current(address: string): StoredRow | undefined {
    return stored(this.#sql('SELECT seq, json FROM events WHERE address = ?').get(address));
  }

  isDeleted(id: string, pubkey: string): boolean {
    return (
      this.#sql('SELECT 1 FROM deleted_ids WHERE id = ? AND pubkey = ?').get(bytesOf(id), bytesOf(pubkey)) !==
      undefined
    );
  }

  addressDeletedUntil(address: string): number | undefined {
    const row = this.#sql('SELECT until FROM deleted_addresses WHERE address = ?').get(address);
    return row && Number(row['until']);
  }

  vanishedUntil(pubkey: string): number | undefined {
    const row = this.#sql('SELECT until FROM vanished WHERE pubkey = ?').get(bytesOf(pubkey));
    return row && Number(row['until']);
  }

  insert(event: NostrEvent, address: string | undefined): number {
    const head = headOf(event.id);
    const { lastInsertRowid } = this.#sql(
      'INSERT INTO events (id, pubkey, kind, created_at, head, expires_at, address, json) VALUES (?, ?, ?, ?, ?, ?, ?, ?)',
    ).run(
      bytesOf(event.id),
      bytesOf(event.pubkey),
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
    this.events++;
    return seq;
  }

  readonly remove = (seq: number, event: NostrEvent): void => {
    const tag = this.#sql('DELETE FROM tags WHERE key = ? AND created_at = ? AND head = ? AND seq = ?');
    for (const key of tagKeys(event)) tag.run(key, event.created_at, headOf(event.id), seq);
    this.#sql('DELETE FROM events WHERE seq = ?').run(seq);
    this.#search.remove(seq, event.kind);
    this.#sql('DELETE FROM unplaced WHERE seq = ?').run(seq);
    this.#sql('DELETE FROM delivered WHERE seq = ?').run(seq);
    this.events--;
  };

  noteDeletedId(id: string, pubkey: string): void {
    this.#sql('INSERT OR IGNORE INTO deleted_ids (id, pubkey) VALUES (?, ?)').run(
      bytesOf(id),
      bytesOf(pubkey),
    );
  }

  noteDeletedAddress(address: string, until: number): void {
    this.#sql(
      'INSERT INTO deleted_addresses (address, until) VALUES (?1, ?2) ON CONFLICT DO UPDATE SET until = max(until, ?2)',
    ).run(address, until);
  }

  markUnplaced(seq: number): void {
    this.#sql('INSERT INTO unplaced (seq) VALUES (?)').run(seq);
  }

  markDelivered(seq: number): void {
    this.#sql('INSERT INTO delivered (seq) VALUES (?)').run(seq);
  }

  vanish(pubkey: string, until: number): void {
    this.#sql(
      'INSERT INTO vanished (pubkey, until, pending) VALUES (?1, ?2, 1) ON CONFLICT DO UPDATE SET until = max(until, ?2), pending = 1',
    ).run(bytesOf(pubkey), until);
    this.#vanishing.add(pubkey, until);
    removeVanishedBatch(this.#statements, this.#vanishing, this.remove);
  }
}

function stored(row: Record<string, unknown> | undefined): StoredRow | undefined {
  return row && { seq: Number(row['seq']), event: JSON.parse(row['json'] as string) };
}
