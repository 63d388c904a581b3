import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { compareEvents, matchesFilter, type NostrEvent, parseFilter } from '@covey/nostr';
import fc from 'fast-check';
import { newSigner, type Signer } from '../conformance/signer.ts';
import { WireClient } from '../conformance/wire-client.ts';
import { frame, RawSocket } from './raw-socket.ts';
import { TestCluster, until } from './relay-fixture.ts';

/** `FUZZ_SEED=n` repeats a run. */
const SEED = Number(process.env['FUZZ_SEED'] ?? Date.now() % 2 ** 31);
const NOW = Math.floor(Date.now() / 1000);

describe(`fuzzed, FUZZ_SEED=${SEED}`, { timeout: 120_000 }, () => {
  let cluster: TestCluster;
  const clients: WireClient[] = [];
  const open = async (member: number) => {
    const client = await WireClient.open(cluster.members[member]!.url);
    clients.push(client);
    return client;
  };
  /** Somebody else's connection: what it writes and reads must not be harmed by anything here. */
  const others = newSigner();
  const othersAreUnharmed = async () => {
    const client = await open(0);
    const event = others.sign({ content: `${Math.random()}` });
    assert.equal((await client.publish(event))[0], true);
    assert.deepEqual((await client.read({ ids: [event.id] })).events, [event]);
    client.close();
  };

  before(async () => {
    cluster = await TestCluster.make(2);
    await cluster.startAll();
    cluster.place([]); // every account at the first member
  });
  after(async () => {
    for (const client of clients) client.close();
    await cluster.stop();
  });

  describe('filters against a slow and obvious oracle, over the wire', () => {
    const authors = Array.from({ length: 4 }, (_, i) => newSigner((i + 1).toString(16).padStart(64, '0')));
    const events: NostrEvent[] = [];
    const tagValues = ['x', 'y', '☃', ''];
    const eventArb = fc.record({
      author: fc.constantFrom(...authors),
      kind: fc.constantFrom(1, 7, 4000),
      created_at: fc.integer({ min: NOW - 12, max: NOW }),
      tags: fc.array(fc.tuple(fc.constantFrom('r', 'g', 'rr'), fc.constantFrom(...tagValues)), {
        maxLength: 3,
      }),
      content: fc.string({ unit: 'grapheme', maxLength: 12 }),
    });
    const some = <T>(values: fc.Arbitrary<T>) =>
      fc.option(fc.array(values, { minLength: 1, maxLength: 3 }), { nil: undefined });
    const filterArb = (withAuthors: boolean) =>
      fc
        .record({
          ids: some(fc.nat({ max: 59 })),
          authors: withAuthors
            ? fc.array(fc.constantFrom(...authors), { minLength: 1, maxLength: 3 })
            : some(fc.constantFrom(...authors)),
          kinds: some(fc.constantFrom(1, 7, 4000, 2)),
          since: fc.option(fc.integer({ min: NOW - 14, max: NOW }), { nil: undefined }),
          until: fc.option(fc.integer({ min: NOW - 14, max: NOW + 2 }), { nil: undefined }),
          limit: fc.option(fc.integer({ min: 0, max: 20 }), { nil: undefined }),
          '#r': some(fc.constantFrom(...tagValues)),
          '#g': fc.option(fc.constant(['x', 'nobody']), { nil: undefined }),
        })
        .map(({ ids, authors: by, ...rest }) =>
          JSON.parse(
            JSON.stringify({
              ...rest,
              ids: ids?.map((i) => events[i % events.length]!.id),
              authors: (by as Signer[] | undefined)?.map(({ pubkey }) => pubkey),
            }),
          ),
        );
    /** NIP-01, word by word: filters are OR-ed, each takes its newest, the answer is newest first, then lowest id. */
    const oracle = (filters: object[]) => {
      const chosen = new Set<NostrEvent>();
      for (const json of filters) {
        const filter = parseFilter(json, { valuesMax: 100 });
        const fitting = events.filter((event) => matchesFilter(filter, event)).sort(compareEvents);
        for (const event of fitting.slice(0, filter.limit ?? 1000)) chosen.add(event);
      }
      return [...chosen].sort(compareEvents).map(({ id }) => id);
    };

    before(async () => {
      const client = await open(0);
      for (const { author, ...event } of fc.sample(eventArb, { numRuns: 60, seed: SEED }))
        events.push(author.sign(event));
      const byId = new Map(events.map((event) => [event.id, event]));
      events.splice(0, events.length, ...byId.values());
      for (const event of events) assert.equal((await client.publish(event))[0], true);
    });

    for (const [member, name] of [
      [0, 'where the events are'],
      [1, 'at a member that has to ask for them'],
    ] as const)
      it(name, async () => {
        const client = await open(member);
        // At another member only filters with a key are answered in full.
        const filters = fc.array(filterArb(member === 1), { minLength: 1, maxLength: 3 });
        await fc.assert(
          fc.asyncProperty(filters, async (asked) => {
            const { events: got, end } = await client.read(
              ...asked.map((filter) => (member === 1 ? { ...filter, ids: undefined } : filter)),
            );
            const expected = oracle(member === 1 ? asked.map(({ ids: _, ...filter }) => filter) : asked);
            assert.equal(end[0], 'EOSE');
            assert.deepEqual(
              got.map(({ id }) => id),
              expected,
            );
          }),
          { seed: SEED, numRuns: member === 0 ? 300 : 100 },
        );
      });
  });

  describe('events', () => {
    const me = newSigner();
    const client = () => open(0);

    it('every other value in every field is refused with a reason, and the next event is taken', async () => {
      const connection = await client();
      const odd = fc.oneof(
        fc.constantFrom(null, true, -1, 1.5, 1e300, '', [], {}, [[]], [['p', 1]], [[null]], '\ud800'),
        fc.string(),
        fc.jsonValue({ maxDepth: 3 }),
      );
      const field = fc.constantFrom('id', 'pubkey', 'created_at', 'kind', 'tags', 'content', 'sig');
      await fc.assert(
        fc.asyncProperty(field, odd, async (name, value) => {
          const event = me.sign({ content: `${Math.random()}` });
          const changed = { ...event, [name]: value };
          if (JSON.stringify(changed) === JSON.stringify(event)) return;
          const before = connection.frames.length;
          connection.send('EVENT', changed);
          const next = me.sign({ content: `next ${Math.random()}` });
          assert.equal((await connection.publish(next))[0], true);
          const said = connection.frames.slice(before).filter((f) => f[1] !== next.id);
          assert.equal(said.length, 1, JSON.stringify(said));
          const [[type, , accepted, reason]] = said as [unknown[]];
          if (type === 'OK') assert.ok(accepted === false && /^[a-z-]+: ./.test(String(reason)));
          else assert.equal(type, 'NOTICE');
        }),
        { seed: SEED, numRuns: 150 },
      );
    });

    it('text that is no JSON, or not as JSON should be, is a NOTICE or a refusal', async () => {
      const connection = await client();
      const good = JSON.stringify(me.sign());
      const texts = [
        '',
        '[',
        '"EVENT"',
        'NaN',
        `["EVENT",${good.replace(/"created_at":\d+/, '"created_at":NaN')}]`,
        `["EVENT",${good.replace(/"created_at":\d+/, '"created_at":1e400')}]`,
        `["EVENT",${good.replace('"hello"', '"\\ud83d"')}]`,
        `["EVENT",${good.replace('"hello"', '"\\udc00\\ud800"')}]`,
        `["EVENT",${good},`,
        `["EVENT",${'['.repeat(100_000)}${']'.repeat(100_000)}]`,
        `["EVENT",${'{"a":'.repeat(50_000)}1${'}'.repeat(50_000)}]`,
        `["REQ","deep",${'['.repeat(100_000)}${']'.repeat(100_000)}]`,
        `["REQ","proto",{"__proto__":{"kinds":[1]},"constructor":[1]}]`,
        `[${'"EVENT",'.repeat(50_000)}1]`,
      ];
      for (const text of texts) {
        const before = connection.frames.length;
        connection.socket.send(text);
        const probe = me.sign({ content: `probe ${Math.random()}` });
        assert.equal((await connection.publish(probe))[0], true, text.slice(0, 80));
        const said = connection.frames.slice(before).filter((f) => f[1] !== probe.id);
        assert.ok(said.length > 0, `nothing was said to ${text.slice(0, 80)}`);
        assert.ok(
          said.every(([type]) => ['NOTICE', 'OK', 'CLOSED', 'EOSE', 'EVENT'].includes(type as string)),
          JSON.stringify(said).slice(0, 200),
        );
        connection.send('CLOSE', 'proto');
      }
      await othersAreUnharmed();
    });

    it('a follow list of 50,000 is refused for its size, as is one of thousands of tags too many', async () => {
      const connection = await client();
      const tags = (count: number) =>
        Array.from({ length: count }, (_, i) => ['p', i.toString(16).padStart(64, '0')]);
      for (const [count, reason] of [
        [50_000, /^invalid: .*bytes/],
        [10_001, /^invalid: .*(tags|bytes)/],
      ] as const) {
        const [accepted, text] = await connection.publish(me.sign({ kind: 3, tags: tags(count) }));
        assert.equal(accepted, false);
        assert.match(text, reason);
        assert.doesNotMatch(text, /signature/);
      }
      assert.equal((await connection.publish(me.sign({ content: 'next' })))[0], true);
      const many = me.sign({ tags: [...tags(2000), ...tags(2000).map(([, v]) => ['t', v!])] });
      const [accepted, text] = await connection.publish(many);
      assert.equal(accepted, true);
      assert.match(text, /tags too many/);
    });
  });

  describe('the WebSocket layer', () => {
    const port = () => cluster.members[0]!.port;
    const text = (value: string) => Buffer.from(value);
    const req = '["REQ","s",{"limit":1}]';

    it('bytes at random, before and after the handshake, end that connection alone', async () => {
      const bytes = fc.sample(fc.uint8Array({ minLength: 1, maxLength: 2000 }), { numRuns: 60, seed: SEED });
      const raws = await Promise.all(bytes.map((_, i) => RawSocket.open(port(), i % 2 === 0)));
      for (const [i, chunk] of bytes.entries()) raws[i]!.send(chunk);
      await othersAreUnharmed();
      for (const raw of raws) raw.end();
    });

    it('answers what is whole, in however many fragments, with pings between', async () => {
      const raw = await RawSocket.open(port());
      const bytes = text(req);
      raw.send(frame({ opcode: 1, payload: bytes.subarray(0, 3), final: false }));
      for (let at = 3; at < bytes.length; at++) {
        raw.send(frame({ opcode: 9, payload: text('ping') }));
        raw.send(frame({ opcode: 0, payload: bytes.subarray(at, at + 1), final: at === bytes.length - 1 }));
      }
      await until('EOSE', () => raw.text.includes('["EOSE","s"'));
      for (const byte of frame({ opcode: 1, payload: text('["CLOSE","s"]') })) raw.send(Uint8Array.of(byte));
      for (const byte of frame({ opcode: 1, payload: text('["REQ","t",{"limit":1}]') }))
        raw.send(Uint8Array.of(byte));
      await until('EOSE', () => raw.text.includes('["EOSE","t"'));
      raw.end();
    });

    it('frames that break the protocol close the connection, and nobody else’s', async () => {
      const wrong: [string, Buffer][] = [
        ['no mask', frame({ opcode: 1, payload: text(req), masked: false })],
        ['reserved bits', frame({ opcode: 1, payload: text(req), reserved: 4 })],
        ['an opcode that is none', frame({ opcode: 5, payload: text(req) })],
        ['a continuation of nothing', frame({ opcode: 0, payload: text(req) })],
        ['a ping of 200 bytes', frame({ opcode: 9, payload: Buffer.alloc(200) })],
        ['a ping in fragments', frame({ opcode: 9, payload: text('x'), final: false })],
        ['wrong UTF-8', frame({ opcode: 1, payload: Uint8Array.of(0x5b, 0xff, 0xfe, 0x5d) })],
        ['UTF-8 cut off', frame({ opcode: 1, payload: Uint8Array.of(0x22, 0xe2, 0x98) })],
        ['a surrogate in UTF-8', frame({ opcode: 1, payload: Uint8Array.of(0x22, 0xed, 0xa0, 0x80, 0x22) })],
        ['a length of 2^62', frame({ opcode: 1, payload: text('x'), claims: 2 ** 62 })],
        ['a length of 5 MB', frame({ opcode: 1, payload: text('x'), claims: 5_000_000 })],
        ['a bad close code', frame({ opcode: 8, payload: Uint8Array.of(0, 1) })],
        [
          'two messages at once',
          Buffer.concat([
            frame({ opcode: 1, payload: text('['), final: false }),
            frame({ opcode: 1, payload: text(req) }),
          ]),
        ],
      ];
      for (const [name, bytes] of wrong) {
        const raw = await RawSocket.open(port());
        raw.send(bytes);
        await until(`the end of the one that sent ${name}`, () => raw.closed);
      }
      await othersAreUnharmed();
    });

    it('half frames and floods of tiny ones hold up nobody', async () => {
      const halves = await Promise.all(Array.from({ length: 50 }, () => RawSocket.open(port())));
      for (const raw of halves) raw.send(frame({ opcode: 1, payload: text('['), claims: 400_000 }));
      const floods = await Promise.all(Array.from({ length: 4 }, () => RawSocket.open(port())));
      const tiny = Buffer.concat(
        Array.from({ length: 5000 }, () => frame({ opcode: 1, payload: text('x') })),
      );
      const empty = Buffer.concat(
        Array.from({ length: 5000 }, () => frame({ opcode: 1, payload: text(''), final: false })),
      );
      for (const [i, raw] of floods.entries()) raw.send(i % 2 === 0 ? tiny : empty.subarray(0, 20_000));
      await othersAreUnharmed();
      for (const raw of [...halves, ...floods]) raw.end();
      await until('they are gone', () => cluster.members[0]!.relay!.load().connections <= clients.length + 2);
      await othersAreUnharmed();
    });
  });
});
