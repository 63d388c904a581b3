import assert from 'node:assert/strict';
import { compareEvents, type NostrEvent, signEvent } from '@covey/nostr';
import { newSigner, type Signer } from './signer.ts';
import { WireClient } from './wire-client.ts';

/** What a check has to work with: a fresh connection and a key that nobody used before. */
export interface CheckContext {
  url: string;
  client: WireClient;
  open(): Promise<WireClient>;
  me: Signer;
}

export interface Check {
  nip: number;
  it: string;
  run(context: CheckContext): Promise<void>;
}

export const now = (): number => Math.floor(Date.now() / 1000);
export const ids = (events: readonly NostrEvent[]): string[] => events.map((event) => event.id);
const KNOWN_PREFIX =
  /^(duplicate|pow|blocked|rate-limited|invalid|restricted|mute|error|auth-required|unsupported): ./;

export async function accepted(client: WireClient, ...events: NostrEvent[]): Promise<void> {
  for (const event of events) {
    const [ok, message] = await client.publish(event);
    assert.equal(ok, true, message);
  }
}

export async function refused(
  client: WireClient,
  event: NostrEvent,
  prefix: RegExp = KNOWN_PREFIX,
): Promise<void> {
  const [ok, message] = await client.publish(event);
  assert.equal(ok, false, `${event.id} was accepted: ${message}`);
  assert.match(message, prefix);
}

export async function information(url: string): Promise<Record<string, unknown>> {
  const response = await fetch(url.replace(/^ws/, 'http'), { headers: { accept: 'application/nostr+json' } });
  assert.equal(response.status, 200);
  assert.match(response.headers.get('content-type') ?? '', /application\/nostr\+json/);
  assert.equal(response.headers.get('access-control-allow-origin'), '*');
  return (await response.json()) as Record<string, unknown>;
}

/** The challenge of a connection: sent when it was opened, or in answer to what needs one (NIP-42 allows both). */
async function challengeOf(client: WireClient): Promise<string> {
  const known = client.frames.find((f) => f[0] === 'AUTH');
  if (known) return known[1] as string;
  const stranger = newSigner();
  client.send('EVENT', stranger.sign({ tags: [['-']] }));
  client.send('REQ', 'private', { kinds: [1059], '#p': [stranger.pubkey], limit: 1 });
  const challenge = (await client.wait('AUTH challenge', (f) => f[0] === 'AUTH'))[1] as string;
  client.send('CLOSE', 'private');
  return challenge;
}

/** Proves a key to the relay, by the challenge that it sent. */
export async function authenticate(
  client: WireClient,
  url: string,
  signer: Signer,
): Promise<[boolean, string]> {
  const challenge = await challengeOf(client);
  const event = signer.sign({
    kind: 22242,
    tags: [
      ['relay', url],
      ['challenge', challenge],
    ],
    content: '',
  });
  client.send('AUTH', event);
  const ok = await client.wait('OK of AUTH', (f) => f[0] === 'OK' && f[1] === event.id);
  return [ok[2] as boolean, ok[3] as string];
}

/**
 * What a relay must do, NIP by NIP, seen from outside alone: any relay URL can be put under test. Each check uses keys of
 * its own, so that a relay with other events in it passes as well.
 */
export const CHECKS: readonly Check[] = [
  {
    nip: 1,
    it: 'stores an event and gives it back unchanged',
    async run({ client, me }) {
      const event = me.sign({
        content: 'quotes " \\ \n \t \u0008 \u2028 é 🐦',
        tags: [['t', 'covey'], ['x'], ['p', me.pubkey, '']],
      });
      assert.equal((await client.publish(event))[0], true);
      const { events, end } = await client.read({ ids: [event.id] });
      assert.deepEqual(events, [event]);
      assert.equal(end[0], 'EOSE');
    },
  },
  {
    nip: 1,
    it: 'says OK with `duplicate:` to an event it has',
    async run({ client, me }) {
      const event = me.sign();
      await accepted(client, event);
      const [ok, message] = await client.publish(event);
      assert.equal(ok, true);
      assert.match(message, /^duplicate: ./);
    },
  },
  {
    nip: 1,
    it: 'refuses a wrong id, a wrong signature and malformed events as `invalid:`',
    async run({ client, me }) {
      const good = me.sign({ content: 'good' });
      await refused(client, { ...good, id: 'a'.repeat(64) }, /^invalid: /);
      await refused(client, { ...good, content: 'changed' }, /^invalid: /);
      await refused(client, { ...good, sig: good.sig.replace(/^.{8}/, '00000000') }, /^invalid: /);
      await refused(client, { ...good, sig: me.sign({ content: 'other' }).sig }, /^invalid: /);
      await refused(client, { ...good, pubkey: 'f'.repeat(64) }, /^invalid: /);
      await refused(client, { ...good, kind: 1.5 }, /^invalid: /);
      await refused(client, { ...good, created_at: -1 }, /^invalid: /);
      await refused(client, { ...good, tags: [['t', 1 as unknown as string]] }, /^invalid: /);
      await refused(client, { ...good, tags: 'x' as unknown as string[][] }, /^invalid: /);
      await accepted(client, good);
    },
  },
  {
    nip: 1,
    it: 'answers newest first, then lowest id, and keeps the limit',
    async run({ client, me }) {
      const events = [10, 30, 20, 30, 10, 40].map((age, i) =>
        me.sign({ created_at: now() - age, content: String(i) }),
      );
      await accepted(client, ...events);
      const sorted = ids([...events].sort(compareEvents));
      assert.deepEqual(ids((await client.read({ authors: [me.pubkey] })).events), sorted);
      assert.deepEqual(
        ids((await client.read({ authors: [me.pubkey], limit: 3 })).events),
        sorted.slice(0, 3),
      );
      assert.deepEqual(ids((await client.read({ authors: [me.pubkey], limit: 0 })).events), []);
    },
  },
  {
    nip: 1,
    it: 'fits every condition of a filter, and any filter of a REQ',
    async run({ client, me }) {
      const you = newSigner();
      const t = now() - 100;
      const a = me.sign({
        kind: 1,
        created_at: t,
        tags: [
          ['t', 'bird'],
          ['e', 'e'.repeat(64)],
        ],
      });
      const b = me.sign({
        kind: 7,
        created_at: t + 10,
        tags: [
          ['t', 'fish'],
          ['p', you.pubkey],
        ],
      });
      const c = you.sign({
        kind: 1,
        created_at: t + 20,
        tags: [
          ['t', 'bird'],
          ['T', 'bird'],
        ],
      });
      await accepted(client, a, b, c);
      const authors = [me.pubkey, you.pubkey];
      const cases: [object[], NostrEvent[]][] = [
        [[{ authors }], [c, b, a]],
        [[{ authors, kinds: [7] }], [b]],
        [[{ authors, kinds: [1, 7], since: t + 10 }], [c, b]],
        [[{ authors, until: t + 10 }], [b, a]],
        [[{ authors, since: t + 10, until: t + 10 }], [b]],
        [[{ authors, '#t': ['bird'] }], [c, a]],
        [[{ authors, '#T': ['bird'] }], [c]],
        [[{ authors, '#t': ['bird', 'fish'], '#p': [you.pubkey] }], [b]],
        [[{ '#e': ['e'.repeat(64)], authors: [me.pubkey] }], [a]],
        [[{ '#p': [you.pubkey] }], [b]],
        [[{ ids: [a.id, c.id], kinds: [1], authors: [you.pubkey] }], [c]],
        [
          [{ ids: [a.id] }, { authors: [you.pubkey] }],
          [c, a],
        ],
        [
          [
            { authors, kinds: [1], limit: 1 },
            { authors, kinds: [7] },
          ],
          [c, b],
        ],
        [[{ authors: [me.pubkey], unknown: 'ignored' }], [b, a]],
        [[{ authors: [] }], []],
        [[{ authors, kinds: [] }], []],
      ];
      for (const [filters, want] of cases)
        assert.deepEqual(ids((await client.read(...filters)).events), ids(want), JSON.stringify(filters));
    },
  },
  {
    nip: 1,
    it: 'goes on with new events after EOSE, only those that fit, until CLOSE',
    async run({ client, me, open }) {
      const writer = await open();
      client.send('REQ', 'a', { authors: [me.pubkey], kinds: [1], limit: 1 }, { authors: [me.pubkey] });
      await client.wait('EOSE', (f) => f[0] === 'EOSE' && f[1] === 'a');
      const old = me.sign({ created_at: now() - 10_000, content: 'old but new here' });
      const first = me.sign({ kind: 7, content: '1' });
      await accepted(writer, old, newSigner().sign(), first);
      await client.wait(
        'first',
        (f) => f[0] === 'EVENT' && f[1] === 'a' && (f[2] as NostrEvent).id === first.id,
      );
      client.send('CLOSE', 'a');
      const [ok] = await client.publish(me.sign({ content: 'after CLOSE' }));
      assert.equal(ok, true);
      await client.read({ authors: [me.pubkey], limit: 1 });
      const got = client.frames
        .filter((f) => f[0] === 'EVENT' && f[1] === 'a')
        .map((f) => (f[2] as NostrEvent).id);
      assert.deepEqual(got, [old.id, first.id]);
    },
  },
  {
    nip: 1,
    it: 'replaces a subscription by a REQ of the same id',
    async run({ client, me }) {
      client.send('REQ', 'same', { authors: [me.pubkey], kinds: [1] });
      client.send('REQ', 'same', { authors: [me.pubkey], kinds: [7] });
      await client.wait('EOSE', (f) => f[0] === 'EOSE');
      await client.read({ authors: [me.pubkey] });
      const seven = me.sign({ kind: 7 });
      await accepted(client, me.sign({ kind: 1 }), seven);
      await client.wait('kind 7', (f) => f[0] === 'EVENT' && f[1] === 'same');
      const got = client.frames.filter((f) => f[0] === 'EVENT' && f[1] === 'same');
      assert.deepEqual(
        got.map((f) => (f[2] as NostrEvent).id),
        [seven.id],
      );
    },
  },
  {
    nip: 1,
    it: 'keeps the newest of a replaceable and of an addressable event, and the lowest id of equally old ones',
    async run({ client, me }) {
      const t = now() - 50;
      for (const kind of [0, 3, 10002]) {
        await client.publish(me.sign({ kind, created_at: t, content: 'new' }));
        await client.publish(me.sign({ kind, created_at: t - 1, content: 'old' }));
        const { events } = await client.read({ authors: [me.pubkey], kinds: [kind] });
        assert.deepEqual(
          events.map((e) => e.content),
          ['new'],
          `kind ${kind}`,
        );
      }
      const pair = [
        me.sign({ kind: 10001, created_at: t, content: 'a' }),
        me.sign({ kind: 10001, created_at: t, content: 'b' }),
      ];
      for (const event of pair) await client.publish(event);
      const { events } = await client.read({ authors: [me.pubkey], kinds: [10001] });
      assert.deepEqual(ids(events), [ids(pair).sort()[0]]);
      const article = (d: string, at: number) =>
        me.sign({ kind: 30023, created_at: at, tags: [['d', d]], content: `${d}${at - t}` });
      for (const event of [article('x', t), article('y', t), article('x', t + 5), article('x', t + 1)])
        await client.publish(event);
      const { events: articles } = await client.read({ authors: [me.pubkey], kinds: [30023] });
      assert.deepEqual(
        articles.map((e) => e.content),
        ['x5', 'y0'],
      );
    },
  },
  {
    nip: 1,
    it: 'passes on ephemeral events and does not store them',
    async run({ client, me, open }) {
      const writer = await open();
      client.send('REQ', 'eph', { authors: [me.pubkey], kinds: [20_002] });
      await client.wait('EOSE', (f) => f[0] === 'EOSE');
      const event = me.sign({ kind: 20_002 });
      await accepted(writer, event);
      await client.wait('event', (f) => f[0] === 'EVENT' && (f[2] as NostrEvent).id === event.id);
      assert.deepEqual((await writer.read({ ids: [event.id] })).events, []);
    },
  },
  {
    nip: 1,
    it: 'answers garbage by NOTICE or CLOSED and goes on',
    async run({ client, me }) {
      const garbage = [
        'not json',
        '{}',
        '[]',
        '""',
        'null',
        '["EVENT"]',
        '["EVENT",null]',
        '["EVENT",{"id":NaN}]',
        '["NONSENSE",1]',
        '["REQ"]',
        '["REQ","",{}]',
        `["REQ","${'x'.repeat(65)}",{}]`,
        '["REQ",{"a":1},{}]',
        '["CLOSE"]',
        '["CLOSE",7]',
        '["AUTH"]',
        '["AUTH","text"]',
        '["EVENT",{"content":"\\ud800"}]',
        '['.repeat(100_000),
        `${'['.repeat(50_000)}${']'.repeat(50_000)}`,
      ];
      for (const text of garbage) {
        const before = client.frames.filter((f) => f[0] === 'NOTICE').length;
        client.socket.send(text);
        await client.wait(
          `NOTICE for ${text.slice(0, 40)}`,
          () => client.frames.filter((f) => f[0] === 'NOTICE').length > before,
        );
      }
      for (const filter of [
        { ids: 'x' },
        { ids: ['short'] },
        { authors: [1] },
        { kinds: ['1'] },
        { kinds: [70_000] },
        { since: 'x' },
        { limit: -1 },
        { '#p': 'x' },
        5,
        null,
      ]) {
        const { end } = await client.read(filter as object);
        assert.equal(end[0], 'CLOSED', JSON.stringify(filter));
        assert.match(end[2] as string, KNOWN_PREFIX);
      }
      const surrogate = signEvent(
        { pubkey: me.pubkey, created_at: now(), kind: 1, tags: [], content: 'lone' },
        me.secretKey,
      );
      client.socket.send(JSON.stringify(['EVENT', surrogate]).replace('lone', '\\ud800'));
      const ok = await client.wait('OK', (f) => f[0] === 'OK' && f[1] === surrogate.id);
      assert.equal(ok[2], false);
      await accepted(client, me.sign());
    },
  },
  {
    nip: 1,
    it: 'refuses a date far in the future',
    async run({ client, me }) {
      await refused(client, me.sign({ created_at: Math.floor(Date.UTC(2099, 0) / 1000) }), /^invalid: /);
      await refused(client, me.sign({ created_at: Number.MAX_SAFE_INTEGER }), /^invalid: /);
    },
  },
  {
    nip: 9,
    it: 'deletes what its author names, and does not take it back',
    async run({ client, me }) {
      const mine = me.sign({ created_at: now() - 10 });
      const theirs = newSigner().sign({ created_at: now() - 10 });
      const article = me.sign({ kind: 30023, created_at: now() - 10, tags: [['d', 'x']] });
      await accepted(client, mine, theirs, article);
      const deletion = me.sign({
        kind: 5,
        tags: [
          ['e', mine.id],
          ['e', theirs.id],
          ['a', `30023:${me.pubkey}:x`],
          ['k', '1'],
        ],
      });
      await accepted(client, deletion);
      assert.deepEqual(ids((await client.read({ ids: [mine.id, theirs.id, article.id] })).events), [
        theirs.id,
      ]);
      await refused(client, mine, /^blocked: /);
      await refused(client, article, /^blocked: /);
      await accepted(client, me.sign({ kind: 30023, created_at: now() + 2, tags: [['d', 'x']] }));
      assert.deepEqual(ids((await client.read({ authors: [me.pubkey], kinds: [5] })).events), [deletion.id]);
    },
  },
  {
    nip: 11,
    it: 'describes itself, with the limits it keeps',
    async run({ url, client }) {
      const info = await information(url);
      assert.match(String(info['self']), /^[0-9a-f]{64}$/);
      assert.ok((info['supported_nips'] as number[]).includes(1));
      const limitation = info['limitation'] as Record<string, number>;
      assert.ok(limitation['max_message_length']! > 0);
      const long = 'x'.repeat(limitation['max_subid_length']! + 1);
      client.send('REQ', long, {});
      await client.wait('refusal', (f) => f[0] === 'NOTICE' || f[0] === 'CLOSED');
      for (let i = 0; i <= limitation['max_subscriptions']!; i++)
        client.send('REQ', `s${i}`, { kinds: [65_000] });
      const refusal = await client.wait('CLOSED', (f) => f[0] === 'CLOSED');
      assert.equal(refusal[1], `s${limitation['max_subscriptions']}`);
    },
  },
  {
    nip: 11,
    it: 'refuses a list of 50,000 tags for its size, never for its signature, and goes on',
    async run({ client, me }) {
      const tags = Array.from({ length: 50_000 }, (_, i) => ['p', i.toString(16).padStart(64, '0')]);
      const large = me.sign({ kind: 3, tags });
      const [ok, message] = await client.publish(large);
      assert.equal(ok, false);
      assert.match(message, /^invalid: .*(bytes|tags)/);
      const short = me.sign({ kind: 3, tags: tags.slice(0, 30_000).map(() => ['p', '']) });
      assert.match((await client.publish(short))[1], /^invalid: .*tags/);
      await accepted(client, me.sign());
    },
  },
  {
    nip: 11,
    it: 'closes a connection that sends a monstrous frame with 1009',
    async run({ open }) {
      const client = await open();
      client.socket.send('x'.repeat(20 * 1024 * 1024));
      assert.equal(await client.closed(), 1009);
    },
  },
  {
    nip: 40,
    it: 'refuses what has expired, and serves nothing that expires',
    async run({ client, me }) {
      await refused(client, me.sign({ tags: [['expiration', String(now() - 5)]] }));
      const soon = me.sign({ tags: [['expiration', String(now() + 2)]] });
      await accepted(client, soon);
      assert.deepEqual(ids((await client.read({ ids: [soon.id] })).events), [soon.id]);
      const end = Date.now() + 8000;
      while ((await client.read({ ids: [soon.id] })).events.length > 0)
        assert.ok(Date.now() < end, 'still served');
      assert.ok(now() >= Number(soon.tags[0]![1]));
    },
  },
  {
    nip: 42,
    it: 'takes a good AUTH, and no bad one',
    async run({ url, client, me, open }) {
      const challenge = await challengeOf(client);
      const auth = (tags: string[][], fields = {}) => me.sign({ kind: 22242, tags, ...fields });
      const good = [
        ['relay', url],
        ['challenge', challenge],
      ];
      const bad = [
        auth([
          ['relay', url],
          ['challenge', 'other'],
        ]),
        auth([
          ['relay', 'wss://another.example'],
          ['challenge', challenge],
        ]),
        auth([['challenge', challenge]]),
        auth(good, { kind: 1 }),
        auth(good, { created_at: now() - 3600 }),
        { ...auth(good), sig: auth([]).sig },
      ];
      for (const event of bad) {
        client.send('AUTH', event);
        const ok = await client.wait('OK', (f) => f[0] === 'OK' && f[1] === event.id);
        assert.equal(ok[2], false);
        assert.match(ok[3] as string, KNOWN_PREFIX);
      }
      assert.deepEqual(await authenticate(client, url, me), [true, '']);
      const other = await open();
      assert.notEqual(await challengeOf(other), challenge);
      await refused(other, auth(good), /^invalid: /);
    },
  },
  {
    nip: 67,
    it: 'says in EOSE whether there is more',
    async run({ client, me }) {
      await accepted(client, me.sign({ created_at: now() - 2 }), me.sign());
      assert.deepEqual((await client.read({ authors: [me.pubkey] })).end[2], ['finish']);
      assert.deepEqual((await client.read({ authors: [me.pubkey], limit: 1 })).end[2], ['more']);
    },
  },
  {
    nip: 70,
    it: 'takes a protected event from its author alone, once authenticated',
    async run({ url, client, me, open }) {
      const event = me.sign({ tags: [['-']] });
      await refused(client, event, /^auth-required: /);
      await authenticate(client, url, newSigner());
      await refused(client, event, /^(auth-required|restricted): /);
      const mine = await open();
      await authenticate(mine, url, me);
      await accepted(mine, event);
      await refused(
        client,
        newSigner().sign({ kind: 6, content: JSON.stringify(event), tags: [['e', event.id]] }),
      );
    },
  },
];

/** Runs one check with connections of its own. */
export async function runCheck(check: Check, url: string): Promise<void> {
  const clients: WireClient[] = [];
  const open = async () => {
    const client = await WireClient.open(url);
    clients.push(client);
    return client;
  };
  try {
    await check.run({ url, client: await open(), open, me: newSigner() });
  } finally {
    for (const client of clients) client.close();
  }
}
