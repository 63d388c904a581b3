import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { compareEvents, type Filter, matchesFilter, type NostrEvent } from '@covey/nostr';
import fc from 'fast-check';
import { event, hex, keep, QUERY, SPOOL, type StoreFixture, storeName } from './store-fixture.ts';

/** Queries, against a slow oracle. */
export function querySuite(fixture: StoreFixture): void {
  const open = (name = storeName(), spool = SPOOL) => fixture.open(name, spool);

  describe('queries', () => {
    it('answer as the slow obvious oracle does, whatever the filter', async () => {
      const { store, close } = await open();
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
      await fc.assert(
        fc.asyncProperty(aFilter, async (filter) => {
          const matching = all.filter((e) => matchesFilter(filter, e)).sort(compareEvents);
          const limit = Math.min(filter.limit ?? 500, 500);
          const { events, complete } = await store.query(filter, QUERY);
          assert.deepEqual(
            events.map((e) => e.id),
            matching.slice(0, limit).map((e) => e.id),
          );
          assert.equal(complete, matching.length <= limit);
        }),
        { numRuns: 1500, seed: 11 },
      );
      await close();
    });

    it('read about as many rows as they answer, among many authors', async () => {
      const { store, close } = await open();
      const writes = [];
      for (let i = 0; i < 900; i++)
        writes.push(store.write(keep(event({ pubkey: hex(i % 30), created_at: i, content: String(i) }))));
      await Promise.all(writes);
      const authors = Array.from({ length: 30 }, (_, i) => hex(i));
      const { events, complete } = await store.query({ authors, kinds: [1], limit: 3, tags: {} }, QUERY);
      assert.deepEqual(
        events.map((e) => JSON.parse(e.json).content),
        ['899', '898', '897'],
      );
      assert.equal(complete, false);
      assert.equal(
        (await store.query({ authors, tags: {} }, { ...QUERY, limitMax: 1000 })).events.length,
        900,
      );
      await close();
    });

    it('are bounded in bytes, but never empty for it', async () => {
      const { store, close } = await open();
      for (let i = 0; i < 3; i++) await store.write(keep(event({ content: 'x'.repeat(1000) })));
      const { events, complete } = await store.query({ tags: {} }, { ...QUERY, bytesMax: 10 });
      assert.deepEqual([events.length, complete], [1, false]);
      await close();
    });
  });
}
