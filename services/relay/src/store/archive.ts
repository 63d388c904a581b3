import { once } from 'node:events';
import { createReadStream, createWriteStream, existsSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { backup, type DatabaseSync } from 'node:sqlite';
import { EnvReader } from '@covey/config';
import { isProtected } from '@covey/enforcement';
import { type NostrEvent, parseEvent, publicKeyOf, type SchnorrVerifier, verifyEvent } from '@covey/nostr';
import { pickVerifier } from '@covey/verifier';
import { vanishesHere } from '../vanish.ts';
import { askForBackup } from './backup-request.ts';
import type { MemberStore } from './member-store.ts';
import { backupAdvice, openPostgresStore } from './postgres/open-postgres-store.ts';
import { schemaOf } from './postgres/schema-name.ts';
import { openDatabase } from './sqlite/database.ts';
import { openSqliteStore, SQLITE_FILE } from './sqlite/open-sqlite-store.ts';
import { StoreError, StoreInUseError } from './store-errors.ts';
import type { StoreOptions } from './store-options.ts';

const IMPORT_BATCH = 500;
const LINE_BYTES_MAX = 8 * 1024 * 1024;

/**
 * The store that the settings name: with COVEY_STORE_URL a schema in PostgreSQL (the member's own by COVEY_MEMBER_KEY_FILE,
 * or `?schema=`), else the folder's.
 */
function postgresPlace(): { url: string; schema: string } | undefined {
  const env = new EnvReader(process.env);
  const url = env.optional('COVEY_STORE_URL');
  if (url === undefined) return undefined;
  const named = new URL(url).searchParams.has('schema');
  return schemaOf(url, named ? '' : publicKeyOf(env.secretKeyFile('COVEY_MEMBER_KEY_FILE')));
}

async function open(dir: string): Promise<MemberStore> {
  const options: StoreOptions = {
    dir,
    spool: { perMemberMax: 1, bytesMax: 1 },
    writesWaitingMax: 2 * IMPORT_BATCH,
    clock: Date.now,
  };
  const postgres = postgresPlace();
  return postgres
    ? await openPostgresStore(postgres.url, postgres.schema, options)
    : openSqliteStore(options);
}

/** @throws StoreError when the folder has no store */
function mustExist(dir: string): void {
  if (!existsSync(join(dir, SQLITE_FILE)))
    throw new StoreError(
      `${dir} has no ${SQLITE_FILE}: is this a member's folder? (A store in PostgreSQL is named by COVEY_STORE_URL.)`,
    );
}

/** What is done to a file alone. @throws StoreError that says what to use instead */
function refusePostgres(): void {
  const postgres = postgresPlace();
  if (postgres) throw new StoreError(backupAdvice(postgres.schema));
}

/** What an operator does with a member's folder: `covey relay export|import|backup|vacuum`. */
export async function exportStore(dir: string, file: string): Promise<number> {
  if (!postgresPlace()) mustExist(dir);
  const store = await open(dir);
  try {
    const out = createWriteStream(file, { flags: file === '/dev/stdout' ? 'w' : 'wx', mode: 0o600 });
    await once(out, 'open').catch((cause: Error) => {
      throw new StoreError(`${file} can't be written: ${cause.message}`, { cause });
    });
    let events = 0;
    for await (const json of store.everything()) {
      events++;
      if (!out.write(`${json}\n`)) await once(out, 'drain');
    }
    out.end();
    await once(out, 'close');
    return events;
  } finally {
    await store.close();
  }
}

/** Reads events, one a line, into the store of a member that is stopped; each is verified. They are placed at its next start. */
export async function importStore(
  dir: string,
  file: string,
): Promise<{ stored: number; known: number; bad: number }> {
  const result = { stored: 0, known: 0, bad: 0 };
  if (!existsSync(file)) throw new StoreError(`there is no file ${file}`);
  const { verifier } = pickVerifier();
  const store = await open(dir);
  try {
    let batch: Promise<unknown>[] = [];
    for await (const line of createInterface({ input: createReadStream(file), crlfDelay: Infinity })) {
      if (line.trim() === '') continue;
      const event = readLine(line, verifier);
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

function readLine(line: string, verifier: SchnorrVerifier): NostrEvent | undefined {
  if (line.length > LINE_BYTES_MAX) return undefined;
  try {
    const event = parseEvent(JSON.parse(line));
    return verifyEvent(event, verifier) === 'valid' ? event : undefined;
  } catch {
    return undefined;
  }
}

/** Gives the room of deleted events back to the disk; the member must be stopped. @returns bytes before and after */
export function vacuumStore(dir: string): { before: number; after: number } {
  refusePostgres();
  mustExist(dir);
  const db = openDatabase(join(dir, SQLITE_FILE));
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
  refusePostgres();
  mustExist(dir);
  if (existsSync(to)) throw new StoreError(`${to} exists already; name another file`);
  let db: DatabaseSync;
  try {
    db = openDatabase(join(dir, SQLITE_FILE));
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
