import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { type NostrEvent, SEARCHED_KINDS, searchedText, wordsOf } from '@covey/nostr';
import { SEARCH_MATCHES_MAX } from '../answer.ts';

const REBUILD_BATCH = 1000;

/**
 * Words of stored events in SQLite's FTS5. The words are cut by our own rules before they go in, so that a search of what
 * is stored and one of what is new agree.
 */
export class SqliteSearch {
  readonly #insert: StatementSync;
  readonly #delete: StatementSync;
  readonly #match: StatementSync;

  constructor(db: DatabaseSync) {
    this.#insert = db.prepare('INSERT INTO search (rowid, words) VALUES (?, ?)');
    this.#delete = db.prepare('DELETE FROM search WHERE rowid = ?');
    this.#match = db.prepare(
      `SELECT rowid AS seq FROM search WHERE search MATCH ? ORDER BY rowid DESC LIMIT ${SEARCH_MATCHES_MAX + 1}`,
    );
    this.#rebuild(db);
  }

  /** Inside the transaction that stores the event. */
  add(seq: number, event: NostrEvent): void {
    const text = searchedText(event);
    if (text !== undefined) this.#insert.run(seq, wordsOf(text).join(' '));
  }

  remove(seq: number, kind: number): void {
    if (SEARCHED_KINDS.includes(kind)) this.#delete.run(seq);
  }

  /** Where events with all of these words are, the latest that came first; at most SEARCH_MATCHES_MAX + 1. */
  find(words: readonly string[]): number[] {
    return this.#match.all(words.map((word) => `"${word}"`).join(' ')).map((row) => Number(row['seq']));
  }

  /** A store from before there was an index gets one. */
  #rebuild(db: DatabaseSync): void {
    if (db.prepare('SELECT 1 FROM search LIMIT 1').get()) return;
    const page = db.prepare(
      `SELECT seq, json FROM events WHERE seq > ? AND kind IN (${SEARCHED_KINDS.join(', ')}) ORDER BY seq LIMIT ${REBUILD_BATCH}`,
    );
    for (let last = 0, rows = page.all(last); rows.length > 0; rows = page.all(last)) {
      db.exec('BEGIN IMMEDIATE');
      for (const row of rows) this.add(Number(row['seq']), JSON.parse(row['json'] as string));
      db.exec('COMMIT');
      last = Number(rows[rows.length - 1]!['seq']);
    }
  }
}
