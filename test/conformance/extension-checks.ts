import assert from 'node:assert/strict';
import {
  continueReconciliation,
  eventId,
  type NegentropyItem,
  NegentropyItems,
  type NostrEvent,
  signEvent,
  startReconciliation,
} from '@covey/nostr';
import { accepted, authenticate, type Check, ids, information, now, refused } from './relay-checks.ts';
import { newSigner, type Signer } from './signer.ts';
import type { WireClient } from './wire-client.ts';

async function count(client: WireClient, ...filters: object[]): Promise<unknown[]> {
  const id = `count-${client.frames.length}`;
  client.send('COUNT', id, ...filters);
  return await client.wait('COUNT', (f) => (f[0] === 'COUNT' || f[0] === 'CLOSED') && f[1] === id);
}

/** An event whose id has so many leading zero bits, committed to `target`. */
function mine(me: Signer, bits: number, target = bits): NostrEvent {
  for (let nonce = 0; ; nonce++) {
    const unsigned = {
      pubkey: me.pubkey,
      created_at: now(),
      kind: 1,
      tags: [['nonce', String(nonce), String(target)]],
      content: 'work',
    };
    const head = Number.parseInt(eventId(unsigned).slice(0, 8), 16);
    if (Math.clz32(head) >= bits) return signEvent(unsigned, me.secretKey);
  }
}

/** Reconciles `mine` with what a relay has for a filter. */
async function reconcile(
  client: WireClient,
  filter: object,
  own: readonly NegentropyItem[],
): Promise<{ have: string[]; need: string[]; messages: number }> {
  const items = new NegentropyItems(own);
  const id = `neg-${client.frames.length}`;
  const have: string[] = [];
  const need: string[] = [];
  let message: string | undefined = startReconciliation(items);
  let messages = 0;
  client.send('NEG-OPEN', id, filter, message);
  for (let seen = 0; message !== undefined; ) {
    const frame = await client.wait(
      'NEG-MSG',
      (f) => String(f[0]).startsWith('NEG-') && f[1] === id && client.frames.indexOf(f) >= seen,
    );
    seen = client.frames.indexOf(frame) + 1;
    assert.equal(frame[0], 'NEG-MSG', JSON.stringify(frame));
    const found = continueReconciliation(items, frame[2] as string, { frameBytesMax: 100_000 });
    have.push(...found.have);
    need.push(...found.need);
    message = found.message;
    assert.ok(++messages < 50, 'no end in sight');
    if (message !== undefined) client.send('NEG-MSG', id, message);
  }
  client.send('NEG-CLOSE', id);
  return { have: have.sort(), need: need.sort(), messages };
}

/** What a relay that offers a NIP beyond the basic ones must do. A relay that does not list it is not asked. */
export const EXTENSION_CHECKS: readonly Check[] = [
  {
    nip: 2,
    it: 'keeps the newest follow list whole, and finds it by whom it names',
    async run({ client, me }) {
      const friend = newSigner().pubkey;
      const old = me.sign({ kind: 3, created_at: now() - 10, tags: [['p', friend]] });
      const list = me.sign({
        kind: 3,
        tags: [
          ['p', friend, 'wss://relay.example', 'friend'],
          ['p', me.pubkey],
        ],
      });
      await accepted(client, old, list);
      assert.deepEqual((await client.read({ kinds: [3], '#p': [friend] })).events, [list]);
    },
  },
  {
    nip: 13,
    it: 'asks for the work that it names, committed to',
    async run({ url, client, me }) {
      const bits = Number(
        ((await information(url))['limitation'] as Record<string, unknown>)['min_pow_difficulty'],
      );
      assert.ok(bits > 0 && bits <= 20, `min_pow_difficulty is ${bits}`);
      await refused(client, me.sign({ content: 'no work' }), /^pow: ./);
      await refused(client, mine(me, bits, bits - 1), /^pow: ./);
      await accepted(client, mine(me, bits));
    },
  },
  {
    nip: 17,
    it: 'serves gift wraps to whom they are for, and to nobody else',
    async run({ url, client, me, open }) {
      const you = newSigner();
      const wrap = newSigner().sign({ kind: 1059, created_at: now() - 1000, tags: [['p', you.pubkey]] });
      const other = newSigner().sign({ kind: 1059, tags: [['p', newSigner().pubkey]] });
      await accepted(client, wrap, other);
      const asked = { kinds: [1059], '#p': [you.pubkey] };
      const { end } = await client.read(asked);
      assert.deepEqual([end[0], /^auth-required: ./.test(String(end[2]))], ['CLOSED', true]);
      assert.deepEqual((await client.read({ ids: [wrap.id] })).events, [], 'not by its id either');
      const stranger = await open();
      await authenticate(stranger, url, me);
      assert.deepEqual((await stranger.read({ ids: [wrap.id] }, { '#p': [you.pubkey] })).events, []);
      const mine = await open();
      await authenticate(mine, url, you);
      assert.deepEqual((await mine.read(asked)).events, [wrap]);
      assert.deepEqual((await mine.read({ ids: [wrap.id, other.id] })).events, [wrap]);
      // New ones as well.
      mine.send('REQ', 'live', { kinds: [1059] });
      stranger.send('REQ', 'live', { '#p': [you.pubkey] });
      await mine.wait('EOSE', (f) => f[0] === 'EOSE' && f[1] === 'live');
      await stranger.wait('EOSE', (f) => f[0] === 'EOSE' && f[1] === 'live');
      const next = newSigner().sign({ kind: 1059, tags: [['p', you.pubkey]] });
      const note = newSigner().sign({ tags: [['p', you.pubkey]] });
      await accepted(client, next, note);
      await mine.wait('gift wrap', (f) => f[0] === 'EVENT' && (f[2] as NostrEvent).id === next.id);
      await stranger.wait('note', (f) => f[0] === 'EVENT' && (f[2] as NostrEvent).id === note.id);
      assert.ok(!stranger.frames.some((f) => f[0] === 'EVENT' && (f[2] as NostrEvent).kind === 1059));
    },
  },
  {
    nip: 45,
    it: 'counts what fits any of the filters, each event once',
    async run({ client, me }) {
      const events = [0, 1, 2, 3, 4].map((i) =>
        me.sign({ kind: i < 3 ? 1 : 7, content: String(i), tags: [['t', 'counted']] }),
      );
      await accepted(client, ...events);
      const counted = async (...filters: object[]) => {
        const frame = await count(client, ...filters);
        assert.equal(frame[0], 'COUNT', JSON.stringify(frame));
        return (frame[2] as { count: number }).count;
      };
      assert.equal(await counted({ authors: [me.pubkey] }), 5);
      assert.equal(await counted({ authors: [me.pubkey], kinds: [7] }), 2);
      assert.equal(await counted({ authors: [me.pubkey], '#t': ['counted'] }), 5);
      assert.equal(await counted({ authors: [me.pubkey], kinds: [30_000] }), 0);
      assert.equal(await counted({ authors: [me.pubkey], kinds: [1] }, { authors: [me.pubkey] }), 5);
    },
  },
  {
    nip: 45,
    it: 'sends HyperLogLog registers that are right, when it sends some',
    async run({ client, me }) {
      const target = newSigner().pubkey;
      const fans = Array.from({ length: 5 }, () => newSigner());
      const reactions = fans.map((fan) => fan.sign({ kind: 7, content: '+', tags: [['p', target]] }));
      await accepted(client, ...reactions, me.sign({ kind: 7, content: 'other', tags: [['p', me.pubkey]] }));
      const frame = await count(client, { '#p': [target], kinds: [7] });
      const { count: counted, hll } = frame[2] as { count: number; hll?: string };
      assert.equal(counted, 5);
      if (hll === undefined) return; // a relay may send them
      // The definition of NIP-45, the slow way.
      const offset = Number.parseInt(target[32]!, 16) + 8;
      const registers = new Array<number>(256).fill(0);
      for (const { pubkey } of fans) {
        const bits = BigInt(`0x1${pubkey.slice(2 * offset + 2, 2 * offset + 16)}`)
          .toString(2)
          .slice(1);
        const index = Number.parseInt(pubkey.slice(2 * offset, 2 * offset + 2), 16);
        registers[index] = Math.max(registers[index]!, ((bits.indexOf('1') + 57) % 57) + 1);
      }
      assert.equal(hll, registers.map((value) => value.toString(16).padStart(2, '0')).join(''));
      const untagged = await count(client, { authors: [me.pubkey] });
      assert.equal((untagged[2] as { hll?: string }).hll, undefined, 'it is defined for filters with a tag');
    },
  },
  {
    nip: 45,
    it: 'refuses a malformed COUNT by CLOSED',
    async run({ client }) {
      const frame = await count(client, { authors: ['x'] });
      assert.equal(frame[0], 'CLOSED');
      assert.match(frame[2] as string, /^(invalid|error|unsupported): ./);
    },
  },
  {
    nip: 50,
    it: 'finds words in notes, articles and profiles, together with other conditions',
    async run({ client, me, open }) {
      const word = `w${me.pubkey.slice(0, 12)}`;
      const note = me.sign({ created_at: now() - 30, content: `Birds say ${word}, loudly` });
      const article = me.sign({
        kind: 30023,
        created_at: now() - 20,
        content: `# On ${word} and birds`,
        tags: [['d', 'x']],
      });
      const profile = me.sign({ kind: 0, created_at: now() - 10, content: JSON.stringify({ name: word }) });
      const reaction = me.sign({ kind: 7, content: word });
      await accepted(client, note, article, profile, reaction);
      const search = async (...filters: object[]) => ids((await client.read(...filters)).events).sort();
      const all = ids([note, article, profile]).sort();
      const authors = [me.pubkey];
      assert.deepEqual(await search({ search: word, kinds: [0, 1, 30023] }), all);
      assert.deepEqual(await search({ search: word.toUpperCase(), authors, kinds: [1] }), [note.id]);
      assert.deepEqual(await search({ search: `birds ${word}`, authors }), ids([note, article]).sort());
      assert.deepEqual(await search({ search: `fish ${word}`, authors }), []);
      assert.deepEqual(await search({ search: `${word} unknown:extension`, kinds: [1] }), [note.id]);
      const writer = await open();
      client.send('REQ', 'live', { search: word, authors, limit: 0 });
      await client.wait('EOSE', (f) => f[0] === 'EOSE' && f[1] === 'live');
      const fits = me.sign({ content: `${word} again` });
      await accepted(writer, me.sign({ content: 'something else' }), fits);
      await client.wait('EVENT', (f) => f[0] === 'EVENT' && f[1] === 'live');
      const got = client.frames.filter((f) => f[0] === 'EVENT' && f[1] === 'live');
      assert.deepEqual(ids(got.map((f) => f[2] as NostrEvent)), [fits.id]);
    },
  },
  {
    nip: 62,
    it: 'forgets who asks to vanish, and takes nothing of it back',
    async run({ url, client, me }) {
      const you = newSigner();
      const mine = [
        me.sign({ created_at: now() - 100 }),
        me.sign({ kind: 0, created_at: now() - 90, content: '{}' }),
        me.sign({ kind: 30023, created_at: now() - 80, tags: [['d', 'x']] }),
        me.sign({ kind: 5, created_at: now() - 70, tags: [['e', 'e'.repeat(64)]] }),
      ];
      const theirs = you.sign({ created_at: now() - 100, tags: [['p', me.pubkey]] });
      await accepted(client, ...mine, theirs);
      const elsewhere = me.sign({
        kind: 62,
        created_at: now() - 60,
        tags: [['relay', 'wss://another.example']],
      });
      await client.publish(elsewhere);
      const kept = ids((await client.read({ authors: [me.pubkey] })).events);
      for (const event of mine) assert.ok(kept.includes(event.id), 'not aimed at this relay');
      const request = me.sign({ kind: 62, created_at: now() - 50, tags: [['relay', url]], content: 'bye' });
      await accepted(client, request);
      const left = (await client.read({ authors: [me.pubkey] })).events;
      assert.deepEqual(
        left.filter(({ kind }) => kind !== 62),
        [],
      );
      for (const event of mine) await refused(client, event, /^blocked: ./);
      assert.deepEqual((await client.read({ ids: [theirs.id] })).events, [theirs]);
      await client.publish(me.sign({ kind: 5, tags: [['e', request.id]] }));
      await refused(client, mine[0]!, /^blocked: ./);
      await accepted(client, me.sign({ content: 'I am back' }));
    },
  },
  {
    nip: 62,
    it: 'follows a request to all relays, also for what was sealed for the account',
    async run({ client, me, open, url }) {
      const wrap = newSigner().sign({ kind: 1059, created_at: now() - 100, tags: [['p', me.pubkey]] });
      await accepted(client, me.sign({ created_at: now() - 100 }), wrap);
      await accepted(client, me.sign({ kind: 62, tags: [['relay', 'ALL_RELAYS']] }));
      const mine = await open();
      await authenticate(mine, url, me);
      const left = (await mine.read({ authors: [me.pubkey] }, { ids: [wrap.id] })).events;
      assert.deepEqual(
        left.filter(({ kind }) => kind !== 62),
        [],
      );
      await refused(client, wrap, /^blocked: ./);
    },
  },
  {
    nip: 65,
    it: 'keeps the newest relay list, as it was written',
    async run({ client, me }) {
      const tags = [
        ['r', 'wss://one.example'],
        ['r', 'wss://two.example', 'write'],
      ];
      const list = me.sign({ kind: 10002, tags, content: '' });
      await accepted(client, me.sign({ kind: 10002, created_at: now() - 10 }), list);
      assert.deepEqual((await client.read({ kinds: [10002], authors: [me.pubkey] })).events, [list]);
    },
  },
  {
    nip: 77,
    it: 'reconciles two sets to the exact difference',
    async run({ client, me }) {
      const events = Array.from({ length: 120 }, (_, i) =>
        me.sign({ created_at: now() - 1000 + (i % 40), content: String(i) }),
      );
      await accepted(client, ...events);
      const item = ({ id, created_at }: NostrEvent) => ({ id, createdAt: created_at });
      const own = events.slice(20).map(item);
      const extra = Array.from({ length: 15 }, (_, i) => ({
        id: i.toString(16).padStart(64, 'a'),
        createdAt: now() - 980,
      }));
      const filter = { authors: [me.pubkey], kinds: [1] };
      const found = await reconcile(client, filter, [...own, ...extra]);
      assert.deepEqual(found.need, ids(events.slice(0, 20)).sort());
      assert.deepEqual(found.have, extra.map(({ id }) => id).sort());
      const same = await reconcile(client, filter, events.map(item));
      assert.deepEqual([same.have, same.need, same.messages], [[], [], 1]);
    },
  },
  {
    nip: 77,
    it: 'answers what it can not reconcile by NEG-ERR, and goes on',
    async run({ client, me }) {
      const failed = async (id: string) => {
        const frame = await client.wait('NEG-ERR', (f) => f[0] === 'NEG-ERR' && f[1] === id);
        assert.match(frame[2] as string, /^[a-z-]+: ./);
      };
      const start = startReconciliation(new NegentropyItems([]));
      client.send('NEG-OPEN', 'hex', { authors: [me.pubkey] }, 'no hex');
      await failed('hex');
      client.send('NEG-OPEN', 'filter', { authors: 'x' }, start);
      await failed('filter');
      client.send('NEG-OPEN', 'cut', { authors: [me.pubkey] }, `${start}0000021122`);
      await failed('cut');
      client.send('NEG-MSG', 'never opened', start);
      await failed('never opened');
      client.send('NEG-CLOSE', 'never opened');
      await accepted(client, me.sign());
    },
  },
];
