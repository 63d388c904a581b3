import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, describe, it } from 'node:test';
import { StoreBusyError, StoreCorruptError, StoreInUseError, StoreTooNewError } from '../store-errors.ts';
import { nipsSuite } from '../testing/nips-suite.ts';
import { querySuite } from '../testing/query-suite.ts';
import { spoolSuite } from '../testing/spool-suite.ts';
import {
  CLOCK_MS,
  event,
  keep,
  SPOOL,
  type StoreFixture,
  storeName,
  WRITES_WAITING_MAX,
} from '../testing/store-fixture.ts';
import { writeSuite } from '../testing/write-suite.ts';
import { CommitQueue } from './commit-queue.ts';
import { openDatabase } from './database.ts';
import { SQLITE_FILE, sqliteStoreIn } from './open-sqlite-store.ts';

const root = mkdtempSync(join(tmpdir(), 'covey-store-'));
after(() => rmSync(root, { recursive: true, force: true }));

const fixture = {
  async open(name, spool = SPOOL) {
    const dir = join(root, name);
    const path = join(dir, SQLITE_FILE);
    const db = openDatabase(path);
    const member = sqliteStoreIn(db, {
      dir,
      spool,
      writesWaitingMax: WRITES_WAITING_MAX,
      clock: () => CLOCK_MS,
    });
    const rows = async (table: string) =>
      Number(db.prepare(`SELECT count(*) AS n FROM ${table}`).get()!['n']);
    return { member, store: member.events, spool: member.spool, rows, close: () => member.close(), db, path };
  },
} satisfies StoreFixture;

querySuite(fixture);
writeSuite(fixture);
spoolSuite(fixture);
nipsSuite(fixture);

describe('queries in SQLite', () => {
  it('use an index for every kind of filter', async () => {
    const { db, close } = await fixture.open(storeName());
    const plans = [
      'SELECT seq FROM events INDEXED BY events_by_author_kind WHERE pubkey = ? AND kind = ? AND created_at >= 1 AND created_at <= 9 AND (created_at < 9 OR head > 2) ORDER BY created_at DESC, head LIMIT 9',
      'SELECT seq FROM events INDEXED BY events_by_author WHERE pubkey = ? AND created_at <= 9 ORDER BY created_at DESC, head LIMIT 9',
      'SELECT seq FROM events INDEXED BY events_by_kind WHERE kind = ? AND created_at <= 9 ORDER BY created_at DESC, head LIMIT 9',
      'SELECT seq FROM tags WHERE key = ? AND created_at <= 9 ORDER BY created_at DESC, head LIMIT 9',
      'SELECT json FROM events WHERE id = ?',
    ].map((sql) =>
      db
        .prepare(`EXPLAIN QUERY PLAN ${sql}`)
        .all()
        .map((row) => String(row['detail']))
        .join('; '),
    );
    for (const plan of plans) {
      assert.match(plan, /SEARCH/);
      assert.doesNotMatch(plan, /TEMP B-TREE|SCAN/);
    }
    await close();
  });
});

describe('commits', () => {
  it('are shared, and one bad write does not fail its neighbours', async () => {
    const { store, close } = await fixture.open(storeName());
    const bad = { ...event(), id: undefined as unknown as string };
    const results = await Promise.allSettled([
      store.write(keep(event())),
      store.write(keep(bad)),
      store.write(keep(event())),
    ]);
    assert.deepEqual(
      results.map((r) => r.status),
      ['fulfilled', 'rejected', 'fulfilled'],
    );
    assert.equal(store.events, 2);
    await close();
  });

  it('are bounded in how many wait', async () => {
    const { db, close } = await fixture.open(storeName());
    const commits = new CommitQueue(db, { delayMs: 0, batchMax: 100, waitingMax: 1000 });
    const all = Promise.allSettled(Array.from({ length: 1100 }, () => commits.run(() => 1)));
    const refused = (await all).filter((r) => r.status === 'rejected');
    assert.equal(refused.length, 100);
    assert.ok(refused.every((r) => r.reason instanceof StoreBusyError));
    await close();
  });
});

describe('opening', () => {
  it('refuses a store of newer software, a damaged one, a foreign one and one in use', async () => {
    const { store, path, db, close } = await fixture.open(storeName());
    await store.write(keep(event()));
    assert.throws(() => openDatabase(path), StoreInUseError);
    db.exec('PRAGMA user_version = 99');
    await close();
    assert.throws(
      () => openDatabase(path),
      (e: Error) => e instanceof StoreTooNewError && /version 99/.test(e.message),
    );

    const garbage = join(root, 'garbage.sqlite');
    writeFileSync(garbage, 'this is no database, but long enough to look at '.repeat(50));
    assert.throws(
      () => openDatabase(garbage),
      (e: Error) => e instanceof StoreCorruptError && /move it/i.test(e.message),
    );

    const foreign = join(root, 'foreign.sqlite');
    new DatabaseSync(foreign).exec('CREATE TABLE somebody (id)');
    assert.throws(() => openDatabase(foreign), StoreCorruptError);
  });

  it('notices damage inside a store', async () => {
    const { store, path, close } = await fixture.open(storeName());
    for (let i = 0; i < 200; i++) await store.write(keep(event({ content: 'x'.repeat(500) })));
    await close();
    const bytes = readFileSync(path);
    bytes.fill(0x5a, 8192, 40_000);
    writeFileSync(path, bytes);
    assert.throws(() => openDatabase(path), StoreCorruptError);
  });
});
