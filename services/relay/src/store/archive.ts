import { once } from 'node:events';
import { createReadStream, createWriteStream, existsSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { backup, type DatabaseSync } from 'node:sqlite';
import { isProtected } from '@covey/enforcement';
import { type NostrEvent, parseEvent, verifyEvent } from '@covey/nostr';
import { vanishesHere } from '../vanish.ts';
import { askForBackup } from './backup-request.ts';
import { openDatabase } from './sqlite/database.ts';
import { openSqliteStore, SQLITE_FILE } from './sqlite/open-sqlite-store.ts';
import { StoreError, StoreInUseError } from './store-errors.ts';

const STORE = SQLITE_FILE;
const IMPORT_BATCH = 500;
const LINE_BYTES_MAX = 8 * 1024 * 1024;

/** What an operator does with a member's folder: `covey relay export|import|backup|vacuum`. */
export async function exportStore(dir: string, file: string): Promise<number> {
  if (!existsSync(join(dir, STORE)))
    throw new StoreError(`${dir} has no ${STORE}: is this a member's folder?`);
  const db = openDatabase(join(dir, STORE));
  try {
    const out = createWriteStream(file, { flags: file === '/dev/stdout' ? 'w' : 'wx', mode: 0o600 });
    await once(out, 'open').catch((cause: Error) => {
      throw new StoreError(`${file} can't be written: ${cause.message}`, { cause });
    });
    let events = 0;
    // What deletes comes first, so that an import undoes nothing.
    for (const row of db.prepare('SELECT json FROM events ORDER BY kind NOT IN (5, 62), seq').iterate()) {
      events++;
      if (!out.write(`${row['json'] as string}\n`)) await once(out, 'drain');
    }
    out.end();
    await once(out, 'close');
    return events;
  } finally {
    db.close();
  }
}

/** Reads events, one a line, into the store of a member that is stopped; each is verified. They are placed at its next start. */
export async function importStore(
  dir: string,
  file: string,
): Promise<{ stored: number; known: number; bad: number }> {
  const result = { stored: 0, known: 0, bad: 0 };
  if (!existsSync(file)) throw new StoreError(`there is no file ${file}`);
  const store = openSqliteStore({
    dir,
    spool: { perMemberMax: 1, bytesMax: 1 },
    writesWaitingMax: 2 * IMPORT_BATCH,
    clock: Date.now,
  });
  try {
    let batch: Promise<unknown>[] = [];
    for await (const line of createInterface({ input: createReadStream(file), crlfDelay: Infinity })) {
      if (line.trim() === '') continue;
      const event = readLine(line);
      if (!event) {
        result.bad++;
        continue;
      }
      batch.push(
        store.events
          .write({ event, keep: true, unplaced: !isProtected(event), vanish: vanishesHere(event, '') })
          .then(({ outcome }) => {
            if (outcome === 'stored') result.stored++;
            else result.known++;
          }),
      );
      if (batch.length < IMPORT_BATCH) continue;
      await Promise.all(batch);
      batch = [];
    }
    await Promise.all(batch);
    return result;
  } finally {
    await store.close();
  }
}

function readLine(line: string): NostrEvent | undefined {
  if (line.length > LINE_BYTES_MAX) return undefined;
  try {
    const event = parseEvent(JSON.parse(line));
    return verifyEvent(event) === 'valid' ? event : undefined;
  } catch {
    return undefined;
  }
}

/** Gives the room of deleted events back to the disk; the member must be stopped. @returns bytes before and after */
export function vacuumStore(dir: string): { before: number; after: number } {
  if (!existsSync(join(dir, STORE)))
    throw new StoreError(`${dir} has no ${STORE}: is this a member's folder?`);
  const db = openDatabase(join(dir, STORE));
  try {
    const bytes = () =>
      ['page_count', 'page_size']
        .map((name) => Number(db.prepare(`PRAGMA ${name}`).get()![name]))
        .reduce((a, b) => a * b);
    const before = bytes();
    db.exec('VACUUM');
    db.exec('PRAGMA wal_checkpoint(TRUNCATE)');
    return { before, after: bytes() };
  } finally {
    db.close();
  }
}

/** A copy of the store at `to`, whole and of one moment. A member that runs makes it itself, while it goes on. */
export async function backupStore(dir: string, to: string): Promise<'stopped' | 'running'> {
  if (!existsSync(join(dir, STORE)))
    throw new StoreError(`${dir} has no ${STORE}: is this a member's folder?`);
  if (existsSync(to)) throw new StoreError(`${to} exists already; name another file`);
  let db: DatabaseSync;
  try {
    db = openDatabase(join(dir, STORE));
  } catch (error) {
    if (!(error instanceof StoreInUseError)) throw error;
    await askForBackup(dir, to);
    return 'running';
  }
  try {
    await backup(db, to);
    return 'stopped';
  } finally {
    db.close();
  }
}
