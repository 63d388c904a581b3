import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { NostrEvent } from '@covey/nostr';
import { event, hex, SPOOL, type StoreFixture, storeName } from './store-fixture.ts';

/** What waits for other members. */
export function spoolSuite(fixture: StoreFixture): void {
  const open = (name = storeName(), spool = SPOOL) => fixture.open(name, spool);

  describe('the spool', () => {
    const to = (...destinations: string[]) => ({ hops: 1, destinations });

    it('keeps what waits, by member, over a restart', async () => {
      const name = storeName();
      const first = await open(name);
      const { store } = first;
      const e = event();
      assert.equal((await store.write({ event: e, keep: false, spool: to('m1', 'm2') })).outcome, 'spooled');
      assert.equal((await store.write({ event: e, keep: false, spool: to('m1') })).outcome, 'duplicate');
      await first.close();
      const again = await open(name);
      assert.deepEqual(again.spool.members.sort(), ['m1', 'm2']);
      const [entry] = await again.spool.next('m1', 0, 10);
      assert.deepEqual(entry?.event, e);
      await again.spool.settle('m1', [entry!.seq, entry!.seq]);
      assert.equal(again.spool.waiting, 1);
      await again.spool.settle('m2', [entry!.seq]);
      assert.equal(again.spool.waiting, 0);
      assert.equal(await again.rows('spool'), 0);
      assert.equal(again.store.events, 0);
      await again.close();
    });

    it('is bounded by member, and a full one takes no room from another', async () => {
      const { store, spool, close } = await open(storeName(), { ...SPOOL, perMemberMax: 2 });
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
      await close();
    });

    it('is bounded in bytes, and has room again when something was delivered', async () => {
      const { store, spool, close } = await open();
      const large = () => ({ event: event({ content: '🐦'.repeat(15_000) }), keep: false, spool: to('m') });
      assert.equal((await store.write(large())).outcome, 'spooled');
      assert.equal((await store.write(large())).outcome, 'full');
      await spool.settle('m', [(await spool.next('m', 0, 1))[0]!.seq]);
      assert.equal((await store.write(large())).outcome, 'spooled');
      await close();
    });

    it('moves what waits to where a new table says', async () => {
      const { store, spool, close } = await open();
      const first = event();
      for (const e of [first, event({ pubkey: hex(2) }), event({ pubkey: hex(3) })])
        await store.write({ event: e, keep: false, spool: to('old') });
      const place = (e: NostrEvent) =>
        e.pubkey === hex(1) ? ['old', 'new'] : e.pubkey === hex(2) ? ['new'] : [];
      let after: number | undefined = 0;
      while (after !== undefined) after = await spool.reroute('old', after, 2, place, 0);
      assert.deepEqual(
        (await spool.next('old', 0, 9)).map((entry) => entry.event.id),
        [first.id],
      );
      assert.equal(spool.waitingFor('new'), 1);
      await close();
    });

    it('hands out once what was taken without a table', async () => {
      const { store, spool, close } = await open();
      for (const pubkey of [1, 2, 3])
        await store.write({ event: event({ pubkey: hex(pubkey) }), keep: true, unplaced: true });
      const place = (e: NostrEvent) => (e.pubkey === hex(2) ? [] : ['m']);
      assert.equal(await store.placeUnplaced(2, place), 2);
      assert.equal(await store.placeUnplaced(2, place), 1);
      assert.equal(await store.placeUnplaced(2, place), 0);
      assert.equal(spool.waitingFor('m'), 2);
      await close();
    });
  });
}
