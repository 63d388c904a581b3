import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, describe, it } from 'node:test';
import { compareEvents, type Filter, matchesFilter, type NostrEvent } from '@covey/nostr';
import fc from 'fast-check';
import { CommitQueue } from './commit-queue.ts';
import { openDatabase } from './database.ts';
import { StoreBusyError, StoreCorruptError, StoreInUseError, StoreTooNewError } from './event-store.ts';
import { Spool } from './spool.ts';
import { SqliteStore } from './sqlite-store.ts';

const dir = mkdtempSync(join(tmpdir(), 'covey-store-'));
after(() => rmSync(dir, { recursive: true, force: true }));
let files = 0;

function openStore(path = join(dir, `${files++}.sqlite`), perMemberMax = 100) {
  const db = openDatabase(path);
  const commits = new CommitQueue(db, { delayMs: 0, batchMax: 100, waitingMax: 1000 });
  const spool = new Spool(db, commits, { perMemberMax, bytesMax: 100_000 });
  return { path, db, commits, spool, store: new SqliteStore(db, commits, spool, () => 1_000_000) };
}

const hex = (n: number, digit = 'a') => n.toString(16).padStart(64, digit);
let ids = 0;
/** The store trusts what was admitted before: ids and signatures need not be real. */
function event(fields: Partial<NostrEvent> = {}): NostrEvent {
  return {
    id: hex(++ids, '0'),
    pubkey: hex(1),
    created_at: 1000,
    kind: 1,
    tags: [],
    content: '',
    sig: 'f'.repeat(128),
    ...fields,
  };
}
const QUERY = { limitMax: 500, bytesMax: 1e8, now: 2000 };
const keep = (e: NostrEvent) => ({ event: e, keep: true });
const contents = (store: SqliteStore, filter: Partial<Filter> = {}) =>
  store.query({ tags: {}, ...filter }, QUERY).events.map((e) => JSON.parse(e.json).content);

describe('queries', () => {
  it('answer as the slow obvious oracle does, whatever the filter', async () => {
    const { store } = openStore();
    const letters = fc.constantFrom('e', 'p', 't', 'd');
    const value = fc.constantFrom('x', 'y', hex(1), hex(2), 'z'.repeat(100));
    const anEvent = fc.record({
      pubkey: fc.integer({ min: 1, max: 5 }).map((n) => hex(n)),
      created_at: fc.integer({ min: 100, max: 130 }),
      kind: fc.constantFrom(1, 6, 7, 9735, 1111),
      tags: fc.array(
        fc.tuple(letters, value).map((tag) => [...tag]),
        { maxLength: 4 },
      ),
    });
    const all: NostrEvent[] = [];
    for (const fields of fc.sample(anEvent, { numRuns: 600, seed: 7 })) {
      const e = event({
        ...fields,
        id: Buffer.from(fc.sample(fc.uint8Array({ minLength: 32, maxLength: 32 }), 1)[0]!).toString('hex'),
      });
      all.push(e);
      await store.write(keep(e));
    }
    const list = <T>(a: fc.Arbitrary<T>) => fc.uniqueArray(a, { minLength: 1, maxLength: 6 });
    const aFilter = fc.record(
      {
        ids: list(fc.constantFrom(...all.slice(0, 20).map((e) => e.id), hex(9, '9'))),
        authors: list(fc.integer({ min: 1, max: 7 }).map((n) => hex(n))),
        kinds: list(fc.constantFrom(1, 6, 7, 9735, 42)),
        since: fc.integer({ min: 95, max: 135 }),
        until: fc.integer({ min: 95, max: 135 }),
        limit: fc.integer({ min: 0, max: 400 }),
        tags: fc.dictionary(letters, list(value), { maxKeys: 2 }),
      },
      { requiredKeys: ['tags'] },
    ) as fc.Arbitrary<Filter>;
    fc.assert(
      fc.property(aFilter, (filter) => {
        const matching = all.filter((e) => matchesFilter(filter, e)).sort(compareEvents);
        const limit = Math.min(filter.limit ?? 500, 500);
        const { events, complete } = store.query(filter, QUERY);
        assert.deepEqual(
          events.map((e) => e.id),
          matching.slice(0, limit).map((e) => e.id),
        );
        assert.equal(complete, matching.length <= limit);
      }),
      { numRuns: 1500, seed: 11 },
    );
    await store.close();
  });

  it('use an index for every kind of filter', async () => {
    const { db, store } = openStore();
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
    await store.close();
  });

  it('read about as many rows as they answer, among many authors', async () => {
    const { store } = openStore();
    const writes = [];
    for (let i = 0; i < 900; i++)
      writes.push(store.write(keep(event({ pubkey: hex(i % 30), created_at: i, content: String(i) }))));
    await Promise.all(writes);
    const authors = Array.from({ length: 30 }, (_, i) => hex(i));
    const { events, complete } = store.query({ authors, kinds: [1], limit: 3, tags: {} }, QUERY);
    assert.deepEqual(
      events.map((e) => JSON.parse(e.json).content),
      ['899', '898', '897'],
    );
    assert.equal(complete, false);
    assert.equal(store.query({ authors, tags: {} }, { ...QUERY, limitMax: 1000 }).events.length, 900);
    await store.close();
  });

  it('are bounded in bytes, but never empty for it', async () => {
    const { store } = openStore();
    for (let i = 0; i < 3; i++) await store.write(keep(event({ content: 'x'.repeat(1000) })));
    assert.deepEqual(
      { ...store.query({ tags: {} }, { ...QUERY, bytesMax: 10 }), events: 1 },
      { events: 1, complete: false },
    );
    assert.equal(store.query({ tags: {} }, { ...QUERY, bytesMax: 10 }).events.length, 1);
    await store.close();
  });
});

describe('rules', () => {
  it('one event counts once', async () => {
    const { store } = openStore();
    const e = event();
    assert.equal((await store.write(keep(e))).outcome, 'stored');
    assert.equal((await store.write(keep(e))).outcome, 'duplicate');
    assert.equal(store.events, 1);
    await store.close();
  });

  it('of a replaceable event the newest stays, of equally old ones the lowest id', async () => {
    const { store } = openStore();
    const at = (created_at: number, id: number, content: string) =>
      event({ kind: 10002, created_at, id: hex(id, '0'), content });
    assert.equal((await store.write(keep(at(10, 900_005, 'first')))).outcome, 'stored');
    assert.equal((await store.write(keep(at(9, 900_001, 'older')))).outcome, 'superseded');
    assert.equal((await store.write(keep(at(10, 900_007, 'higher id')))).outcome, 'superseded');
    assert.deepEqual(contents(store), ['first']);
    assert.equal((await store.write(keep(at(10, 900_003, 'lower id')))).outcome, 'stored');
    assert.equal((await store.write(keep(at(11, 900_009, 'newer')))).outcome, 'stored');
    assert.deepEqual(contents(store), ['newer']);
    assert.equal(store.events, 1);
    await store.close();
  });

  it('addressable events are told apart by d, kind and author', async () => {
    const { store } = openStore();
    const at = (d: string[][], fields = {}) =>
      event({ kind: 30023, tags: d, content: JSON.stringify(d), ...fields });
    for (const d of [[['d', 'a']], [['d', 'b']], [['d', '']], []])
      await store.write(keep(at(d, { created_at: 1001 + ids })));
    await store.write(keep(at([['d', 'a']], { pubkey: hex(2) })));
    assert.equal(store.events, 4); // without d and with an empty one are the same
    assert.equal(contents(store, { tags: { d: ['a'] } }).length, 2);
    await store.close();
  });

  it('a replaced event is found by its tags no more', async () => {
    const { store, db } = openStore();
    await store.write(keep(event({ kind: 3, tags: [['p', hex(5)]], created_at: 1 })));
    await store.write(keep(event({ kind: 3, tags: [['p', hex(6)]], created_at: 2, content: 'new' })));
    assert.deepEqual(contents(store, { tags: { p: [hex(5)] } }), []);
    assert.deepEqual(contents(store, { tags: { p: [hex(6)] } }), ['new']);
    assert.equal(Number(db.prepare('SELECT count(*) AS n FROM tags').get()!['n']), 1);
    await store.close();
  });

  it('what an author deletes goes, and does not come back', async () => {
    const { store } = openStore();
    const mine = event({ content: 'mine' });
    const other = event({ pubkey: hex(2), content: 'not mine' });
    const later = event({ content: 'arrives later' });
    for (const e of [mine, other]) await store.write(keep(e));
    const deletion = event({
      kind: 5,
      content: 'del',
      tags: [
        ['e', mine.id],
        ['e', other.id],
        ['e', later.id],
        ['e', 'nonsense'],
      ],
    });
    assert.equal((await store.write(keep(deletion))).outcome, 'stored');
    assert.deepEqual(contents(store).sort(), ['del', 'not mine']);
    assert.equal((await store.write(keep(mine))).outcome, 'deleted');
    assert.equal((await store.write(keep(later))).outcome, 'deleted');
    // A deletion of somebody else's event does not keep that one from its author either.
    assert.equal(
      (await store.write(keep(event({ kind: 5, pubkey: hex(3), tags: [['e', hex(777, '0')]] })))).outcome,
      'stored',
    );
    assert.equal((await store.write(keep(event({ id: hex(777, '0') })))).outcome, 'stored');
    // Nor can a deletion be deleted.
    await store.write(keep(event({ kind: 5, content: 'del 2', tags: [['e', deletion.id]] })));
    assert.ok(contents(store, { kinds: [5] }).includes('del'));
    await store.close();
  });

  it('an address is deleted up to the time of the deletion', async () => {
    const { store } = openStore();
    const article = (created_at: number) =>
      event({ kind: 30023, created_at, tags: [['d', 'a:b']], content: `at ${created_at}` });
    const address = `30023:${hex(1)}:a:b`;
    await store.write(keep(article(10)));
    await store.write(
      keep(
        event({
          kind: 5,
          created_at: 20,
          tags: [
            ['a', address],
            ['a', `30023:${hex(2)}:a:b`],
          ],
        }),
      ),
    );
    assert.deepEqual(contents(store, { kinds: [30023] }), []);
    assert.equal((await store.write(keep(article(20)))).outcome, 'deleted');
    assert.equal((await store.write(keep(article(21)))).outcome, 'stored');
    // An older deletion that arrives late removes nothing newer, and does not move the time back.
    await store.write(keep(event({ kind: 5, created_at: 15, tags: [['a', address]] })));
    assert.deepEqual(contents(store, { kinds: [30023] }), ['at 21']);
    assert.equal((await store.write(keep(article(19)))).outcome, 'deleted');
    // kind:pubkey: names a replaceable event.
    await store.write(keep(event({ kind: 10002, created_at: 5 })));
    await store.write(keep(event({ kind: 5, created_at: 6, tags: [['a', `10002:${hex(1)}:`]] })));
    assert.deepEqual(contents(store, { kinds: [10002] }), []);
    await store.close();
  });

  it('expired events are not served, and go', async () => {
    const { store } = openStore();
    await store.write(keep(event({ tags: [['expiration', '2000']], content: 'gone' })));
    await store.write(keep(event({ tags: [['expiration', '2001']], content: 'here' })));
    assert.deepEqual(contents(store), ['here']);
    assert.equal(await store.removeExpired(2000), 1);
    assert.equal(await store.removeExpired(2000), 0);
    assert.equal(store.events, 1);
    await store.close();
  });
});

describe('the spool', () => {
  const to = (...destinations: string[]) => ({ hops: 1, destinations });

  it('keeps what waits, by member, over a restart', async () => {
    const { store, path } = openStore();
    const e = event();
    assert.equal((await store.write({ event: e, keep: false, spool: to('m1', 'm2') })).outcome, 'spooled');
    assert.equal((await store.write({ event: e, keep: false, spool: to('m1') })).outcome, 'duplicate');
    await store.close();
    const again = openStore(path);
    assert.deepEqual(again.spool.members.sort(), ['m1', 'm2']);
    const [entry] = again.spool.next('m1', 0, 10);
    assert.deepEqual(entry?.event, e);
    await again.spool.settle('m1', [entry!.seq, entry!.seq]);
    assert.equal(again.spool.waiting, 1);
    await again.spool.settle('m2', [entry!.seq]);
    assert.equal(again.spool.waiting, 0);
    assert.equal(Number(again.db.prepare('SELECT count(*) AS n FROM spool').get()!['n']), 0);
    assert.equal(again.store.events, 0);
    await again.store.close();
  });

  it('is bounded by member, and a full one takes no room from another', async () => {
    const { store, spool } = openStore(undefined, 2);
    for (let i = 0; i < 2; i++) await store.write({ event: event(), keep: false, spool: to('away') });
    assert.equal((await store.write({ event: event(), keep: false, spool: to('away') })).outcome, 'full');
    const both = await store.write({ event: event(), keep: false, spool: to('away', 'near') });
    assert.deepEqual(both, { outcome: 'spooled', dropped: ['away'] });
    // An event that is held here is kept even when no copy can be sent.
    assert.deepEqual(await store.write({ event: event(), keep: true, spool: to('away') }), {
      outcome: 'stored',
      dropped: ['away'],
    });
    assert.equal(spool.waitingFor('away'), 2);
    assert.equal(spool.waitingFor('near'), 1);
    await store.close();
  });

  it('is bounded in bytes, and has room again when something was delivered', async () => {
    const { store, spool } = openStore();
    const large = () => ({ event: event({ content: 'x'.repeat(60_000) }), keep: false, spool: to('m') });
    assert.equal((await store.write(large())).outcome, 'spooled');
    assert.equal((await store.write(large())).outcome, 'full');
    await spool.settle('m', [spool.next('m', 0, 1)[0]!.seq]);
    assert.equal((await store.write(large())).outcome, 'spooled');
    await store.close();
  });

  it('moves what waits to where a new table says', async () => {
    const { store, spool } = openStore();
    const first = event();
    for (const e of [first, event({ pubkey: hex(2) }), event({ pubkey: hex(3) })])
      await store.write({ event: e, keep: false, spool: to('old') });
    const place = (e: NostrEvent) =>
      e.pubkey === hex(1) ? ['old', 'new'] : e.pubkey === hex(2) ? ['new'] : [];
    let after: number | undefined = 0;
    while (after !== undefined) after = await spool.reroute('old', after, 2, place, 0);
    assert.deepEqual(
      spool.next('old', 0, 9).map((entry) => entry.event.id),
      [first.id],
    );
    assert.equal(spool.waitingFor('new'), 1);
    await store.close();
  });

  it('hands out once what was taken without a table', async () => {
    const { store, spool } = openStore();
    for (const pubkey of [1, 2, 3])
      await store.write({ event: event({ pubkey: hex(pubkey) }), keep: true, unplaced: true });
    const place = (e: NostrEvent) => (e.pubkey === hex(2) ? [] : ['m']);
    assert.equal(await store.placeUnplaced(2, place), 2);
    assert.equal(await store.placeUnplaced(2, place), 1);
    assert.equal(await store.placeUnplaced(2, place), 0);
    assert.equal(spool.waitingFor('m'), 2);
    await store.close();
  });
});

describe('commits', () => {
  it('are shared, and one bad write does not fail its neighbours', async () => {
    const { store, commits } = openStore();
    const results = await Promise.allSettled([
      store.write(keep(event())),
      commits.run(() => {
        throw new Error('bad');
      }),
      store.write(keep(event())),
    ]);
    assert.deepEqual(
      results.map((r) => r.status),
      ['fulfilled', 'rejected', 'fulfilled'],
    );
    assert.equal(store.events, 2);
    await store.close();
  });

  it('are bounded in how many wait', async () => {
    const { store, commits } = openStore();
    const all = Promise.allSettled(Array.from({ length: 1100 }, () => commits.run(() => 1)));
    const refused = (await all).filter((r) => r.status === 'rejected');
    assert.equal(refused.length, 100);
    assert.ok(refused.every((r) => r.reason instanceof StoreBusyError));
    await store.close();
  });
});

describe('opening', () => {
  it('refuses a store of newer software, a damaged one, a foreign one and one in use', async () => {
    const { store, path, db } = openStore();
    await store.write(keep(event()));
    assert.throws(() => openDatabase(path), StoreInUseError);
    db.exec('PRAGMA user_version = 99');
    await store.close();
    assert.throws(
      () => openDatabase(path),
      (e: Error) => e instanceof StoreTooNewError && /version 99/.test(e.message),
    );

    const garbage = join(dir, 'garbage.sqlite');
    writeFileSync(garbage, 'this is no database, but long enough to look at '.repeat(50));
    assert.throws(
      () => openDatabase(garbage),
      (e: Error) => e instanceof StoreCorruptError && /move it/i.test(e.message),
    );

    const foreign = join(dir, 'foreign.sqlite');
    new DatabaseSync(foreign).exec('CREATE TABLE somebody (id)');
    assert.throws(() => openDatabase(foreign), StoreCorruptError);
  });

  it('notices damage inside a store', async () => {
    const { store, path } = openStore();
    for (let i = 0; i < 200; i++) await store.write(keep(event({ content: 'x'.repeat(500) })));
    await store.close();
    const { readFileSync } = await import('node:fs');
    const bytes = readFileSync(path);
    bytes.fill(0x5a, 8192, 40_000);
    writeFileSync(path, bytes);
    assert.throws(() => openDatabase(path), StoreCorruptError);
  });
});
