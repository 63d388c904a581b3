import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import postgres from 'postgres';
import { openPostgresStore } from '../../services/relay/src/store/postgres/open-postgres-store.ts';
import { PAGE } from '../../services/relay/src/store/postgres/pg-reads.ts';
import {
  StoreBusyError,
  StoreError,
  StoreInUseError,
  StoreTooNewError,
} from '../../services/relay/src/store/store-errors.ts';
import { nipsSuite } from '../../services/relay/src/store/testing/nips-suite.ts';
import { querySuite } from '../../services/relay/src/store/testing/query-suite.ts';
import { spoolSuite } from '../../services/relay/src/store/testing/spool-suite.ts';
import {
  CLOCK_MS,
  event,
  found,
  hex,
  keep,
  SPOOL,
  type StoreFixture,
  storeName,
  WRITES_WAITING_MAX,
} from '../../services/relay/src/store/testing/store-fixture.ts';
import { writeSuite } from '../../services/relay/src/store/testing/write-suite.ts';
import { startPostgres, type TestPostgres } from '../support/postgres.ts';

let server: TestPostgres;
let admin: postgres.Sql;
const dir = mkdtempSync(join(tmpdir(), 'covey-pg-store-'));
before(async () => {
  server = await startPostgres();
  admin = postgres(server.url, { max: 1, onnotice: () => {} });
});
after(async () => {
  await admin.end();
  await server.stop();
  rmSync(dir, { recursive: true, force: true });
});

const fixture: StoreFixture = {
  async open(name, spool = SPOOL) {
    const clock = () => CLOCK_MS;
    const member = await openPostgresStore(server.url, name, {
      dir,
      spool,
      writesWaitingMax: WRITES_WAITING_MAX,
      clock,
    });
    const rows = async (table: string) => {
      const [row] = await admin.unsafe(`SELECT count(*)::int AS n FROM ${name}.${table}`);
      return row!['n'] as number;
    };
    return { member, store: member.events, spool: member.spool, rows, close: () => member.close() };
  },
};

describe('a store in PostgreSQL', { timeout: 200_000 }, () => {
  querySuite(fixture);
  writeSuite(fixture);
  spoolSuite(fixture);
  nipsSuite(fixture);

  it('keeps what a mirror must not forget, and forgets what it is told to', async () => {
    const name = storeName();
    const first = await fixture.open(name);
    await first.member.mirror.advance([hex(1), hex(2)], 'wss://x.example', { floor: 5, top: 9 }, 700);
    await first.member.mirror.forget([hex(1)]);
    await first.close();
    const { member, close } = await fixture.open(name);
    assert.deepEqual([...member.mirror.accounts], [hex(2)]);
    assert.deepEqual(member.mirror.cursor(hex(2), 'wss://x.example'), { floor: 5, top: 9 });
    assert.equal(member.mirror.bytes, 0);
    await close();
  });

  it('uses an index for every kind of filter, and reads no more than a page of each range', async () => {
    const name = storeName();
    const { store, close } = await fixture.open(name);
    await Promise.all(
      Array.from({ length: 3000 }, (_, i) => store.write(keep(event({ created_at: i, tags: [['t', 'x']] })))),
    );
    await admin.unsafe(`ANALYZE ${name}.events; ANALYZE ${name}.tags`);
    await admin.unsafe(`SET search_path = ${name}`);
    for (const [index, sql] of Object.entries(PAGE)) {
      const literal = [
        index === 'tag' ? `array[decode('747278', 'hex')]` : `array[decode('${hex(1)}', 'hex')]`,
        'array[1]',
        '0',
        '5000',
        '5000',
        '-1',
        'NULL',
        '3',
      ];
      const plan = await admin.unsafe(
        `EXPLAIN (ANALYZE, COSTS off, TIMING off, SUMMARY off) ${sql.replace(/\$(\d)/g, (_, n) => literal[n - 1]!)}`,
      );
      const text = plan.map((row) => Object.values(row)[0]).join('\n');
      assert.doesNotMatch(text, /Seq Scan/, text);
      assert.match(text, /Index (Only )?Scan using (events_by|tags_by)\w+ .*rows=3\./, text);
      assert.doesNotMatch(text, /Removed by Filter/, text);
    }
    await admin`RESET search_path`;
    await close();
  });

  it('keeps NUL in text, addresses and words', async () => {
    const { store, close } = await fixture.open(storeName());
    const odd = event({ kind: 30023, tags: [['d', 'a\u0000b']], content: 'nul \u0000 🐦', created_at: 5 });
    assert.equal((await store.write(keep(odd))).outcome, 'stored');
    assert.deepEqual(await found(store, { kinds: [30023] }), [odd]);
    const newer = { ...event({ kind: 30023, tags: [['d', 'a\u0000b']], created_at: 6 }) };
    await store.write(keep(newer));
    assert.deepEqual(await found(store, { kinds: [30023] }), [newer]);
    await close();
  });

  it('belongs to one process at a time', async () => {
    const name = storeName();
    const first = await fixture.open(name);
    await assert.rejects(fixture.open(name), StoreInUseError);
    await first.close();
    await (await fixture.open(name)).close();
  });

  it('goes on after its connections were cut, and counts what is there', async () => {
    const name = storeName();
    const { store, close } = await fixture.open(name);
    const kept: string[] = [];
    const write = async (): Promise<boolean> => {
      const one = event();
      try {
        await store.write(keep(one));
        kept.push(one.id);
        return true;
      } catch (error) {
        assert.ok(error instanceof StoreError, String(error));
        return false;
      }
    };
    const cut = () =>
      admin`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'covey-relay'`;
    const goesOn = async () => {
      for (let tries = 0; tries < 20; tries++) if (await write()) return;
      assert.fail('no write succeeds any more');
    };
    await goesOn();
    await cut();
    await goesOn();
    await cut();
    await Promise.all(Array.from({ length: 50 }, write));
    await goesOn();
    // What failed may have been stored all the same: its answer was lost. What was said to be stored is.
    const rows = await admin.unsafe(`SELECT encode(id, 'hex') AS id FROM ${name}.events`);
    const ids = new Set(rows.map((row) => row['id']));
    assert.ok(kept.every((id) => ids.has(id)));
    assert.equal(store.events, ids.size);
    await close();
  });

  it('writes nothing when another process has taken it over', async () => {
    const name = storeName();
    const { store, close } = await fixture.open(name);
    await store.write(keep(event()));
    await admin.unsafe(`UPDATE ${name}.owner SET token = 'another'`);
    await assert.rejects(store.write(keep(event())), StoreInUseError);
    await close();
    const again = await fixture.open(name);
    assert.equal(again.store.events, 1);
    await again.close();
  });

  it('refuses one of newer software, and one that is out of reach', async () => {
    const name = storeName();
    await (await fixture.open(name)).close();
    await admin.unsafe(`UPDATE ${name}.version SET steps = 99`);
    await assert.rejects(fixture.open(name), StoreTooNewError);
    await assert.rejects(
      openPostgresStore('postgres://nobody@127.0.0.1:1/none', 'x', {
        dir,
        spool: SPOOL,
        writesWaitingMax: 1,
        clock: () => 0,
      }),
      (error: Error) => error instanceof StoreError && !error.message.includes('nobody@'),
    );
  });

  it('bounds the writes that wait, and a bad one does not fail its neighbours', async () => {
    const { store, close } = await fixture.open(storeName());
    const bad = { ...event(), id: undefined as unknown as string };
    const results = await Promise.allSettled([
      store.write(keep(event())),
      store.write(keep(bad)),
      store.write(keep(event())),
    ]);
    assert.deepEqual(
      results.map(({ status }) => status),
      ['fulfilled', 'rejected', 'fulfilled'],
    );
    assert.equal(store.events, 2);
    const many = Array.from({ length: WRITES_WAITING_MAX + 50 }, () => store.write(keep(event())));
    const refused = (await Promise.allSettled(many)).filter((result) => result.status === 'rejected');
    assert.equal(refused.length, 50);
    assert.ok(refused.every(({ reason }) => reason instanceof StoreBusyError));
    await close();
  });
});
