import { answerBackupRequest } from '../backup-request.ts';
import type { MemberStore } from '../member-store.ts';
import { StoreError } from '../store-errors.ts';
import { COMMIT_WRITES_MAX, type StoreOptions } from '../store-options.ts';
import { Vanishing } from '../vanishing.ts';
import { Connection } from './connection.ts';
import { GroupCommit } from './group-commit.ts';
import { migrate } from './migrations.ts';
import { Numbers } from './numbers.ts';
import { PgItems } from './pg-items.ts';
import { openMirrorState } from './pg-mirror.ts';
import { PgReads } from './pg-reads.ts';
import { PgSpool } from './pg-spool.ts';
import { PgStore } from './pg-store.ts';

/** Connections for reads. */
const READERS = 4;

/** Everything in a schema of a PostgreSQL database. @throws StoreError, StoreInUseError, StoreTooNewError */
export async function openPostgresStore(
  url: string,
  schema: string,
  options: StoreOptions,
): Promise<MemberStore> {
  const { clock, dir, writesWaitingMax } = options;
  const connection = new Connection({ url, schema, readers: READERS });
  const numbers = new Numbers();
  const vanishing = new Vanishing();
  const commits: GroupCommit = new GroupCommit({
    connection,
    writeAll: (tx, requests) => events.writeAll(tx, requests),
    writesMax: COMMIT_WRITES_MAX,
    waitingMax: writesWaitingMax,
    onCommit: (writes, ms) => store.onCommit(writes, ms),
    onCommitted: () => spool.book.committed(),
    recount: async () => {
      await events.recount();
      await spool.recount();
    },
  });
  const reads = new PgReads(connection.reads, vanishing);
  const spool = new PgSpool(connection, commits, numbers, options.spool);
  const events = new PgStore({
    sql: connection.reads,
    commits,
    reads,
    spool,
    numbers,
    vanishing,
    schema,
    clock,
  });
  try {
    await connection.own(migrate);
    await events.recount();
    await spool.recount();
  } catch (error) {
    await connection.close();
    throw error;
  }
  const store: MemberStore = {
    events,
    spool,
    items: new PgItems(reads),
    mirror: await openMirrorState(connection, commits),
    onCommit: () => {},
    everything: () => reads.everything(),
    answerBackupRequest: () =>
      answerBackupRequest(dir, async () => {
        throw new StoreError(backupAdvice(schema));
      }),
    async close() {
      await commits.drain();
      await connection.close();
    },
  };
  return store;
}

/** What takes the place of `covey relay backup` and `vacuum`. */
export const backupAdvice = (schema: string): string =>
  `this store is in PostgreSQL, schema ${schema}: back it up with pg_dump --schema=${schema}, or export it; PostgreSQL gives room back by itself (autovacuum)`;
