import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import {
  type Filter,
  matchesFilter,
  type NostrEvent,
  parseFilter,
  publicKeyOf,
  signEvent,
} from '@covey/nostr';
import type { EventStore } from '../event-store.ts';
import { SPOOL, type StoreFixture, storeName } from './store-fixture.ts';

const NOW = 1_800_000_000;
const OPTIONS = { limitMax: 10_000, bytesMax: 1e9, now: NOW };

function author() {
  const secret = randomBytes(32).toString('hex');
  const pubkey = publicKeyOf(secret);
  const sign = (fields: Partial<NostrEvent>): NostrEvent =>
    signEvent({ pubkey, created_at: NOW, kind: 1, tags: [], content: '', ...fields }, secret);
  return { pubkey, sign };
}

const filter = (json: object): Filter => parseFilter(json, { valuesMax: 100 });
const ids = async (store: EventStore, json: object) =>
  (await store.query(filter(json), OPTIONS)).events.map(({ id }) => id);

/** Searches, counts, snapshots and requests to vanish. */
export function nipsSuite(fixture: StoreFixture): void {
  const open = (name = storeName(), spool = SPOOL) => fixture.open(name, spool);

  test('a search finds what a slow look at every event finds, also after replacement and deletion', async () => {
    const { store, close } = await open();
    const me = author();
    const words = ['nostr', 'Bird', 'crème', '漢字', 'relay', 'zap', 'note'];
    const kept = new Map<string, NostrEvent>();
    for (let i = 0; i < 300; i++) {
      const content = [0, 1, 2].map((k) => words[(i * (k + 3) + k) % words.length]).join(' ');
      const kind = [1, 1, 7, 30023, 0][i % 5]!;
      const event = me.sign({
        kind,
        created_at: NOW - 1000 + ((i * 37) % 200),
        content: kind === 0 ? JSON.stringify({ name: content }) : content,
        tags:
          kind === 30023
            ? [
                ['d', String(i % 20)],
                ['title', words[i % 7]!],
              ]
            : [['t', String(i)]],
      });
      await store.write({ event, keep: true });
      kept.set(event.id, event);
    }
    const gone = await ids(store, { kinds: [1], limit: 20 });
    await store.write({ event: me.sign({ kind: 5, tags: gone.map((id) => ['e', id]) }), keep: true });
    const stored = (await ids(store, {})).flatMap((id) => kept.get(id) ?? []);
    for (const search of [
      'nostr',
      'bird creme',
      'BIRD zap',
      '字',
      'nostr language:en',
      'absent',
      'note relay zap',
    ])
      for (const rest of [{}, { kinds: [1] }, { authors: [me.pubkey], kinds: [0, 30023] }, { limit: 3 }]) {
        const asked = filter({ search, ...rest });
        const want = stored.filter((event) => matchesFilter(asked, event)).map(({ id }) => id);
        assert.deepEqual(
          await ids(store, { search, ...rest }),
          want.slice(0, asked.limit ?? want.length),
          search,
        );
      }
    assert.ok((await ids(store, { search: 'nostr' })).length > 10);
    await close();
  });

  test('counts what fits any filter once, without limits, and says when it stopped', async () => {
    const { store, close } = await open();
    const me = author();
    for (let i = 0; i < 50; i++)
      await store.write({
        event: me.sign({ content: String(i), tags: [['t', i % 2 ? 'odd' : 'even']] }),
        keep: true,
      });
    const count = (rowsMax: number, ...filters: object[]) =>
      store.count(filters.map(filter), { now: NOW, rowsMax });
    assert.deepEqual(await count(1000, { authors: [me.pubkey], limit: 3 }), { count: 50, exact: true });
    assert.deepEqual(await count(1000, { '#t': ['odd'] }, { authors: [me.pubkey] }), {
      count: 50,
      exact: true,
    });
    assert.deepEqual(await count(1000, { '#t': ['odd'] }, { '#t': ['none'] }), { count: 25, exact: true });
    assert.deepEqual(await count(10, { authors: [me.pubkey] }), { count: 10, exact: false });
    await close();
  });

  test('a snapshot for reconciliation has every event once, whatever shares a second, or says there are too many', async () => {
    const { store, close } = await open();
    const me = author();
    const events = Array.from({ length: 7000 }, (_, i) =>
      // Unsigned: the store does not look at signatures.
      ({ ...me.sign({ created_at: NOW - (i < 5000 ? 5 : i) }), id: randomBytes(32).toString('hex') }),
    );
    await Promise.all(events.map((event) => store.write({ event, keep: true })));
    const want = new Set(events.map(({ id }) => id));
    const items = await store.itemsMatching(filter({ kinds: [1] }), { now: NOW, itemsMax: 7000 });
    assert.equal(items?.length, 7000);
    assert.deepEqual(new Set(items.map(({ id }) => id)), want);
    assert.equal(await store.itemsMatching(filter({ kinds: [1] }), { now: NOW, itemsMax: 6999 }), undefined);
    assert.equal(
      (await store.itemsMatching(filter({ limit: 10 }), { now: NOW, itemsMax: 6999 }))?.length,
      10,
    );
    await close();
  });

  test('what an account that vanished left is hidden at once, goes, and is never taken again', async () => {
    const { store, rows, close } = await open();
    const [me, you] = [author(), author()];
    const mine = Array.from({ length: 1200 }, (_, i) => ({
      ...me.sign({ created_at: NOW - 10 }),
      id: randomBytes(32).toString('hex'),
      tags: [['t', String(i)]],
    }));
    await Promise.all(mine.map((event) => store.write({ event, keep: true })));
    const deletion = me.sign({ kind: 5, created_at: NOW - 5, tags: [['e', '0'.repeat(64)]] });
    const wrap = you.sign({ kind: 1059, created_at: NOW - 20, tags: [['p', me.pubkey]] });
    const mention = you.sign({ created_at: NOW - 20, tags: [['p', me.pubkey]] });
    for (const event of [deletion, wrap, mention]) await store.write({ event, keep: true });
    const other = you.sign({ kind: 1059, created_at: NOW - 20, tags: [['p', you.pubkey]] });
    await store.write({ event: other, keep: true });
    const request = me.sign({ kind: 62, tags: [['relay', 'ALL_RELAYS']] });
    assert.equal((await store.write({ event: request, keep: true, vanish: true })).outcome, 'stored');
    assert.ok(store.events > 500, 'the rest is still on the disk');
    assert.deepEqual(await ids(store, { authors: [me.pubkey] }), [request.id]);
    assert.deepEqual(await ids(store, { '#t': ['7'] }), []);
    assert.deepEqual(await ids(store, { kinds: [1059] }), [other.id], 'nor what is sealed for the account');
    while ((await store.removeVanished()) > 0);
    assert.deepEqual(new Set(await ids(store, {})), new Set([request.id, mention.id, other.id]));
    assert.equal(await rows('tags'), 2);
    for (const event of [mine[0]!, deletion, wrap])
      assert.equal((await store.write({ event, keep: true })).outcome, 'deleted');
    await store.write({
      event: me.sign({ kind: 5, created_at: NOW + 1, tags: [['e', request.id]] }),
      keep: true,
    });
    assert.ok((await ids(store, { ids: [request.id] })).length === 1, 'a deletion takes no request back');
    const later = me.sign({ created_at: NOW + 1, content: 'back' });
    assert.equal((await store.write({ event: later, keep: true })).outcome, 'stored');
    await close();
  });
}
