import { mkdirSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { StoreCorruptError, StoreError, StoreInUseError, StoreTooNewError } from './event-store.ts';

/** 'COVY': tells our file from any other SQLite database. */
const APPLICATION_ID = 0x434f5659;
/** A process that is just ending gives the file free within this time. */
const BUSY_MS = 1000;
/** Whole-file checks at start are for files up to this size; damage in larger ones shows when it is read. */
const CHECK_BYTES_MAX = 64 * 1024 * 1024;

/**
 * Each step leads from the version of its index to the next. Never change one that was released.
 * `head` is the first 48 bits of an id as a number: it breaks ties of created_at in the order of ids without storing
 * ids in every index. Every index ends in (created_at DESC, head), so that any of them gives rows in answering order.
 */
const MIGRATIONS: readonly string[] = [
  `
  CREATE TABLE events (
    seq INTEGER PRIMARY KEY,
    id BLOB NOT NULL UNIQUE,
    pubkey BLOB NOT NULL,
    kind INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    head INTEGER NOT NULL,
    expires_at INTEGER,
    address TEXT,
    json TEXT NOT NULL
  ) STRICT;
  CREATE INDEX events_by_author_kind ON events (pubkey, kind, created_at DESC, head);
  CREATE INDEX events_by_author ON events (pubkey, created_at DESC, head);
  CREATE INDEX events_by_kind ON events (kind, created_at DESC, head);
  CREATE INDEX events_by_time ON events (created_at DESC, head);
  CREATE UNIQUE INDEX events_by_address ON events (address) WHERE address IS NOT NULL;
  CREATE INDEX events_by_expiry ON events (expires_at) WHERE expires_at IS NOT NULL;

  CREATE TABLE tags (
    key BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    head INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    PRIMARY KEY (key, created_at DESC, head, seq)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE deleted_ids (
    id BLOB NOT NULL,
    pubkey BLOB NOT NULL,
    PRIMARY KEY (id, pubkey)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE deleted_addresses (
    address TEXT PRIMARY KEY,
    until INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE unplaced (seq INTEGER PRIMARY KEY) STRICT;

  CREATE TABLE spool (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id BLOB NOT NULL UNIQUE,
    hops INTEGER NOT NULL,
    spooled_at INTEGER NOT NULL,
    json TEXT NOT NULL
  ) STRICT;
  CREATE TABLE spool_destinations (
    member TEXT NOT NULL,
    seq INTEGER NOT NULL,
    PRIMARY KEY (member, seq)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX spool_destinations_by_seq ON spool_destinations (seq);
  `,
  // What was handed over to other members after the table took it from this one: an author, or one event.
  `
  CREATE TABLE handed_over (
    key BLOB PRIMARY KEY,
    destinations TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;
  `,
  // Events that are here because they tag somebody, and not for their author.
  'CREATE TABLE delivered (seq INTEGER PRIMARY KEY) STRICT;',
  // Accounts that asked to vanish (`pending`: some of what they wrote may still be there), and words for searches.
  `
  CREATE TABLE vanished (
    pubkey BLOB PRIMARY KEY,
    until INTEGER NOT NULL,
    pending INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE VIRTUAL TABLE search USING fts5(words, content = '', contentless_delete = 1, detail = none);
  `,
  // How far external accounts were read at their own relays (times are Unix seconds), and when to try a dead relay again.
  `
  CREATE TABLE mirror_cursors (
    pubkey BLOB NOT NULL,
    url TEXT NOT NULL,
    floor INTEGER NOT NULL,
    top INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    PRIMARY KEY (pubkey, url)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE mirror_relays (
    url TEXT PRIMARY KEY,
    failures INTEGER NOT NULL,
    retry_at INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  `,
  // When an account was handed over, Unix milliseconds: what is no longer placed here leaves some time after.
  'ALTER TABLE handed_over ADD COLUMN at INTEGER NOT NULL DEFAULT 0',
];

/**
 * Opens the member's database and brings its schema up to date. WAL with synchronous=FULL: a commit has reached the disk
 * when it returns. Exclusive: one process at a time, so that counts kept in memory are true.
 * @throws StoreInUseError, StoreTooNewError, StoreCorruptError, StoreError, each saying what to do
 */
export function openDatabase(path: string): DatabaseSync {
  let db: DatabaseSync;
  try {
    mkdirSync(dirname(path), { recursive: true });
    db = new DatabaseSync(path, { timeout: BUSY_MS });
  } catch (cause) {
    throw new StoreError(`the store ${path} can't be opened: ${(cause as Error).message}`, { cause });
  }
  try {
    db.exec(
      'PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = -32768; PRAGMA temp_store = MEMORY;',
    );
    db.exec('BEGIN IMMEDIATE');
    migrate(db, path);
    db.exec('COMMIT');
    if (statSync(path).size <= CHECK_BYTES_MAX) check(db, path);
    return db;
  } catch (error) {
    db.close();
    throw storeError(error, path);
  }
}

function pragma(db: DatabaseSync, name: string): number {
  return Number(Object.values(db.prepare(`PRAGMA ${name}`).get() ?? {})[0]);
}

function migrate(db: DatabaseSync, path: string): void {
  const version = pragma(db, 'user_version');
  const application = pragma(db, 'application_id');
  const tables = Number(db.prepare('SELECT count(*) AS n FROM sqlite_schema').get()?.['n']);
  if (application !== APPLICATION_ID && (version !== 0 || tables !== 0))
    throw new StoreCorruptError(
      `${path} is an SQLite database, but not a member's store; name another folder`,
    );
  if (version > MIGRATIONS.length)
    throw new StoreTooNewError(
      `the store ${path} has version ${version}; this software knows ${MIGRATIONS.length}: run the version that made it, or a newer one`,
    );
  for (const step of MIGRATIONS.slice(version)) db.exec(step);
  db.exec(`PRAGMA user_version = ${MIGRATIONS.length}; PRAGMA application_id = ${APPLICATION_ID};`);
}

function check(db: DatabaseSync, path: string): void {
  const verdict = Object.values(db.prepare('PRAGMA quick_check(1)').get() ?? {})[0];
  if (verdict !== 'ok') throw new StoreCorruptError(corrupt(path, String(verdict)));
}

const corrupt = (path: string, detail: string) =>
  `the store ${path} is damaged (${detail}). Move it and its -wal file away, restore a copy, or start empty: other members hold copies of its accounts`;

/** SQLite's error as one of ours. */
export function storeError(error: unknown, path: string): Error {
  if (error instanceof StoreError) return error;
  const { message, errcode } = error as Error & { errcode?: number };
  const primary = (errcode ?? 0) & 0xff;
  if (primary === 5 || primary === 6)
    return new StoreInUseError(`the store ${path} is in use by another process`, { cause: error });
  if (primary === 11 || primary === 26)
    return new StoreCorruptError(corrupt(path, message), { cause: error });
  return new StoreError(`the store ${path} failed: ${message}`, { cause: error });
}
