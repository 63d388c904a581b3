import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseRetention } from '../retention.ts';
import {
  CLOCK_MS,
  contents,
  event,
  hex,
  keep,
  SPOOL,
  type StoreFixture,
  storeName,
} from './store-fixture.ts';

/** What becomes of a write. */
export function writeSuite(fixture: StoreFixture): void {
  const open = (name = storeName(), spool = SPOOL) => fixture.open(name, spool);

  describe('rules', () => {
    it('one event counts once', async () => {
      const { store, close } = await open();
      const e = event();
      assert.equal((await store.write(keep(e))).outcome, 'stored');
      assert.equal((await store.write(keep(e))).outcome, 'duplicate');
      assert.equal(store.events, 1);
      await close();
    });

    it('of a replaceable event the newest stays, of equally old ones the lowest id', async () => {
      const { store, close } = await open();
      const at = (created_at: number, id: number, content: string) =>
        event({ kind: 10002, created_at, id: hex(id, '0'), content });
      assert.equal((await store.write(keep(at(10, 900_005, 'first')))).outcome, 'stored');
      assert.equal((await store.write(keep(at(9, 900_001, 'older')))).outcome, 'superseded');
      assert.equal((await store.write(keep(at(10, 900_007, 'higher id')))).outcome, 'superseded');
      assert.deepEqual(await contents(store), ['first']);
      assert.equal((await store.write(keep(at(10, 900_003, 'lower id')))).outcome, 'stored');
      assert.equal((await store.write(keep(at(11, 900_009, 'newer')))).outcome, 'stored');
      assert.deepEqual(await contents(store), ['newer']);
      assert.equal(store.events, 1);
      await close();
    });

    it('addressable events are told apart by d, kind and author', async () => {
      const { store, close } = await open();
      let at = 0;
      const article = (d: string[][], fields = {}) =>
        event({ kind: 30023, tags: d, content: JSON.stringify(d), ...fields });
      for (const d of [[['d', 'a']], [['d', 'b']], [['d', '']], []])
        await store.write(keep(article(d, { created_at: 1001 + at++ })));
      await store.write(keep(article([['d', 'a']], { pubkey: hex(2) })));
      assert.equal(store.events, 4); // without d and with an empty one are the same
      assert.equal((await contents(store, { tags: { d: ['a'] } })).length, 2);
      await close();
    });

    it('a replaced event is found by its tags no more', async () => {
      const { store, rows, close } = await open();
      await store.write(keep(event({ kind: 3, tags: [['p', hex(5)]], created_at: 1 })));
      await store.write(keep(event({ kind: 3, tags: [['p', hex(6)]], created_at: 2, content: 'new' })));
      assert.deepEqual(await contents(store, { tags: { p: [hex(5)] } }), []);
      assert.deepEqual(await contents(store, { tags: { p: [hex(6)] } }), ['new']);
      assert.equal(await rows('tags'), 1);
      await close();
    });

    it('what an author deletes goes, and does not come back', async () => {
      const { store, close } = await open();
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
      assert.deepEqual((await contents(store)).sort(), ['del', 'not mine']);
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
      assert.ok((await contents(store, { kinds: [5] })).includes('del'));
      await close();
    });

    it('an address is deleted up to the time of the deletion', async () => {
      const { store, close } = await open();
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
      assert.deepEqual(await contents(store, { kinds: [30023] }), []);
      assert.equal((await store.write(keep(article(20)))).outcome, 'deleted');
      assert.equal((await store.write(keep(article(21)))).outcome, 'stored');
      // An older deletion that arrives late removes nothing newer, and does not move the time back.
      await store.write(keep(event({ kind: 5, created_at: 15, tags: [['a', address]] })));
      assert.deepEqual(await contents(store, { kinds: [30023] }), ['at 21']);
      assert.equal((await store.write(keep(article(19)))).outcome, 'deleted');
      // kind:pubkey: names a replaceable event.
      await store.write(keep(event({ kind: 10002, created_at: 5 })));
      await store.write(keep(event({ kind: 5, created_at: 6, tags: [['a', `10002:${hex(1)}:`]] })));
      assert.deepEqual(await contents(store, { kinds: [10002] }), []);
      await close();
    });

    it('what the rules of retention do not keep goes, a batch at a time; what deletes stays', async () => {
      const { store, rows, close } = await open();
      const rules = parseRetention('', '6=1000,1=1,30000-39999=2,0-65535=4');
      const now = 10 * 86_400;
      const at = (kind: number, daysAgo: number) =>
        event({
          kind,
          created_at: now - daysAgo * 86_400 - 1,
          tags: [['d', `${kind} ${daysAgo}`]],
          content: `${kind}`,
        });
      // More than a batch that an earlier rule keeps: the later rule gets past them.
      await Promise.all(Array.from({ length: 600 }, () => store.write(keep(at(6, 5)))));
      for (const e of [at(1, 0), at(7, 3), at(30023, 1), at(5, 9), at(62, 9)]) await store.write(keep(e));
      const old = Array.from({ length: 1100 }, () => at(1, 1));
      await Promise.all([...old, at(30023, 2), at(7, 4)].map((e) => store.write(keep(e))));
      for (let left = 1; left > 0; ) left = await store.removeUnretained(rules, now);
      assert.equal(store.events, 605);
      assert.deepEqual((await contents(store, { kinds: [1, 5, 7, 62, 30023] })).sort(), [
        '1',
        '30023',
        '5',
        '62',
        '7',
      ]);
      assert.equal(await rows('tags'), 605);
      await close();
    });

    it('what others hold goes without a mark, and may come back', async () => {
      const { store, close } = await open();
      const gone = Array.from({ length: 3 }, () => event({ content: 'gone' }));
      for (const e of [...gone, event({ content: 'stays' })]) await store.write(keep(e));
      assert.equal(await store.removeIds([...gone.map(({ id }) => id), hex(123_456, '0')]), 3);
      assert.deepEqual(await contents(store), ['stays']);
      assert.equal((await store.write(keep(gone[0]!))).outcome, 'stored');
      await close();
    });

    it('authors and their events are walked in order, and what was handed over is remembered', async () => {
      const name = storeName();
      const { store, spool, close } = await open(name);
      for (let i = 0; i < 30; i++)
        await store.write({
          ...keep(event({ pubkey: hex(i % 10, '0'), created_at: i })),
          delivered: i === 25,
        });
      assert.deepEqual(
        await store.authors('', 4),
        [0, 1, 2, 3].map((n) => hex(n, '0')),
      );
      assert.deepEqual(
        await store.authors(hex(7, '0'), 4),
        [8, 9].map((n) => hex(n, '0')),
      );
      const own: number[] = [];
      const range = { index: 'author', pubkey: Buffer.from(hex(5, '0'), 'hex') } as const;
      for await (const e of store.eventsIn(range)) own.push(e.created_at);
      assert.deepEqual(own, [15, 5], 'what is here for somebody it tags is not its author’s');
      const mark = { key: hex(5, '0'), destinations: 'm' };
      await store.handOver([event()], ['m'], mark);
      assert.equal(spool.waitingFor('m'), 1);
      await close();
      const again = await open(name);
      assert.deepEqual(await again.store.handedOver(mark.key), { destinations: 'm', atMs: CLOCK_MS });
      await again.store.handOver([], [], { ...mark, destinations: '' });
      assert.equal(await again.store.handedOver(mark.key), undefined);
      await again.close();
    });

    it('expired events are not served, and go', async () => {
      const { store, close } = await open();
      await store.write(keep(event({ tags: [['expiration', '2000']], content: 'gone' })));
      await store.write(keep(event({ tags: [['expiration', '2001']], content: 'here' })));
      assert.deepEqual(await contents(store), ['here']);
      assert.equal(await store.removeExpired(2000), 1);
      assert.equal(await store.removeExpired(2000), 0);
      assert.equal(store.events, 1);
      await close();
    });
  });
}
