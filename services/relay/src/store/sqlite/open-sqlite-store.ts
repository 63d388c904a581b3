import { join } from 'node:path';
import { backup, type DatabaseSync } from 'node:sqlite';
import { answerBackupRequest } from '../backup-request.ts';
import type { MemberStore } from '../member-store.ts';
import { COMMIT_DELAY_MS, COMMIT_WRITES_MAX, type StoreOptions } from '../store-options.ts';
import { CommitQueue } from './commit-queue.ts';
import { openDatabase } from './database.ts';
import { SqliteItems } from './sqlite-items.ts';
import { openMirrorState } from './sqlite-mirror.ts';
import { SqliteSpool } from './sqlite-spool.ts';
import { SqliteStore } from './sqlite-store.ts';

/** Name of the store in a member's folder. */
export const SQLITE_FILE = 'events.sqlite';

/** Everything in one file of the member's folder. @throws StoreError */
export function openSqliteStore(options: StoreOptions): MemberStore {
  return sqliteStoreIn(openDatabase(join(options.dir, SQLITE_FILE)), options);
}

/** The parts of a store over an open database. It closes the database. */
export function sqliteStoreIn(db: DatabaseSync, options: StoreOptions): MemberStore {
  const { dir, clock, writesWaitingMax } = options;
  const commits = new CommitQueue(db, {
    delayMs: COMMIT_DELAY_MS,
    batchMax: COMMIT_WRITES_MAX,
    waitingMax: writesWaitingMax,
    onCommit: (writes, ms) => store.onCommit(writes, ms),
  });
  const spool = new SqliteSpool(db, commits, options.spool);
  const store: MemberStore = {
    events: new SqliteStore(db, commits, spool, clock),
    spool,
    items: new SqliteItems(db),
    mirror: openMirrorState(db, commits),
    onCommit: () => {},
    *everything() {
      const rows = db.prepare('SELECT json FROM events ORDER BY kind NOT IN (5, 62), seq');
      for (const row of rows.iterate()) yield row['json'] as string;
    },
    answerBackupRequest: () => answerBackupRequest(dir, (to) => backup(db, to)),
    async close() {
      commits.drain();
      db.close();
    },
  };
  return store;
}
