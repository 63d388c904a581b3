import { mkdirSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { StoreCorruptError, StoreError, StoreInUseError, StoreTooNewError } from '../store-errors.ts';
import { MIGRATIONS } from './migrations.ts';

/** 'COVY': tells our file from any other SQLite database. */
const APPLICATION_ID = 0x434f5659;
/** A process that is just ending gives the file free within this time. */
const BUSY_MS = 1000;
/** Whole-file checks at start are for files up to this size; damage in larger ones shows when it is read. */
const CHECK_BYTES_MAX = 64 * 1024 * 1024;

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
