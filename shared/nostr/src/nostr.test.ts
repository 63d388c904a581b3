import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { finalizeEvent, generateSecretKey, nip19, verifyEvent as referenceVerify } from 'nostr-tools';
import {
  compareEvents,
  eventId,
  followees,
  InvalidEventError,
  isPrivateAddress,
  isPrivateRelayUrl,
  matchesFilter,
  type NostrEvent,
  normalizeRelayUrl,
  npubEncode,
  parseEvent,
  parseFilter,
  parsePubkey,
  parseSecretKey,
  publicKeyOf,
  relayListEntries,
  signEvent,
  supersedes,
  verifyEvent,
} from './index.ts';

const KEY = '07'.repeat(32);
const pubkey = publicKeyOf(KEY);
const hexOf = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');

describe('events', () => {
  test('ids and signatures agree with nostr-tools, both ways', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'grapheme' }),
        fc.array(fc.array(fc.string(), { maxLength: 3 }), { maxLength: 4 }),
        fc.nat(65535),
        (content, tags, kind) => {
          const theirs = finalizeEvent(
            { kind, created_at: 1_700_000_000, tags, content },
            Buffer.from(KEY, 'hex'),
          );
          assert.equal(eventId(theirs), theirs.id);
          assert.equal(verifyEvent(parseEvent(JSON.parse(JSON.stringify(theirs)))), 'valid');
          const ours = signEvent({ pubkey, kind, created_at: 1_700_000_000, tags, content }, KEY);
          assert.ok(referenceVerify({ ...ours }));
        },
      ),
      { numRuns: 60 },
    );
  });

  test('the same event and key give the same signature', () => {
    const event = { pubkey, kind: 1, created_at: 5, tags: [], content: 'x' };
    assert.deepEqual(signEvent(event, KEY), signEvent(event, KEY));
  });

  test('a changed field is told from a changed signature', () => {
    const event = signEvent({ pubkey, kind: 1, created_at: 5, tags: [], content: 'x' }, KEY);
    assert.equal(verifyEvent({ ...event, content: 'y' }), 'wrong id');
    assert.equal(verifyEvent({ ...event, sig: '00'.repeat(64) }), 'wrong signature');
    const off = { ...event, pubkey: 'ff'.repeat(32) };
    assert.equal(verifyEvent({ ...off, id: eventId(off) }), 'wrong signature');
  });

  test('shapes that are no event are refused with the field at fault', () => {
    const good = signEvent({ pubkey, kind: 1, created_at: 5, tags: [['t', 'a']], content: 'x' }, KEY);
    const bad: [unknown, RegExp][] = [
      [null, /object/],
      [[], /object/],
      [{ ...good, id: good.id.toUpperCase() }, /id/],
      [{ ...good, pubkey: 'ab' }, /pubkey/],
      [{ ...good, sig: 5 }, /sig/],
      [{ ...good, created_at: 1.5 }, /created_at/],
      [{ ...good, created_at: -1 }, /created_at/],
      [{ ...good, created_at: Number.NaN }, /created_at/],
      [{ ...good, kind: 65536 }, /kind/],
      [{ ...good, content: '\ud800' }, /content/],
      [{ ...good, tags: [['t', 1]] }, /tag/],
      [{ ...good, tags: [['t', '\udfff']] }, /tag/],
      [{ ...good, tags: 'p' }, /tags/],
    ];
    for (const [value, pattern] of bad)
      assert.throws(
        () => parseEvent(value),
        (error: Error) => error instanceof InvalidEventError && pattern.test(error.message),
      );
    assert.deepEqual(parseEvent({ ...good, extra: 1 }), good);
  });

  test('the newest supersedes, then the lowest id; an order with no ties', () => {
    const [a, b, c] = [
      { created_at: 2, id: 'b' },
      { created_at: 2, id: 'a' },
      { created_at: 1, id: '0' },
    ] as NostrEvent[];
    assert.ok(supersedes(b!, a!) && !supersedes(a!, b!) && supersedes(a!, c!) && !supersedes(a!, a!));
    assert.deepEqual(
      [a, b, c].sort((x, y) => compareEvents(x!, y!)),
      [b, a, c],
    );
  });
});

describe('keys', () => {
  test('agree with nostr-tools', () => {
    const secret = generateSecretKey();
    const key = publicKeyOf(hexOf(secret));
    assert.equal(npubEncode(key), nip19.npubEncode(key));
    assert.equal(parsePubkey(nip19.npubEncode(key)), key);
    assert.equal(parsePubkey(`nostr:${nip19.nprofileEncode({ pubkey: key, relays: ['wss://a.b'] })}`), key);
    assert.equal(parsePubkey(key.toUpperCase()), key);
    assert.equal(parseSecretKey(nip19.nsecEncode(secret)), hexOf(secret));
  });

  test('what is no public key is refused with a word on what it is', () => {
    assert.throws(() => parsePubkey(nip19.noteEncode('ab'.repeat(32))), /note does not name an account/);
    assert.throws(() => parsePubkey(nip19.nsecEncode(generateSecretKey())), /secret key/);
    assert.throws(() => parsePubkey('hello'), /"hello" is not a key/);
    assert.throws(() => parsePubkey(`${npubEncode(pubkey).slice(0, -1)}q`), /is not a key/);
  });
});

describe('lists', () => {
  test('followees: once each, in order, without the author and without what is no key', () => {
    const [a, b] = ['aa'.repeat(32), 'bb'.repeat(32)];
    const tags = [
      ['p', a!],
      ['p', b!, 'wss://x', 'pet'],
      ['p', a!.toUpperCase()],
      ['p', pubkey],
      ['p', 'zz'],
      ['p'],
      ['e', a!],
    ];
    assert.deepEqual(followees({ pubkey, tags }), [a, b]);
  });

  test('relay lists: markers, repeated URLs, broken URLs', () => {
    const tags = [
      ['r', 'wss://A.example/'],
      ['r', 'wss://b.example', 'read'],
      ['r', 'wss://b.example/', 'write'],
      ['r', 'http://c'],
      ['r'],
      ['r', 'wss://d.example', 'write'],
    ];
    assert.deepEqual(relayListEntries({ tags }), [
      { url: 'wss://a.example', read: true, write: true },
      { url: 'wss://b.example', read: true, write: true },
      { url: 'wss://d.example', read: false, write: true },
    ]);
  });
});

describe('relay URLs', () => {
  test('normal form', () => {
    assert.equal(normalizeRelayUrl(' WSS://Relay.Example:443/ '), 'wss://relay.example');
    assert.equal(normalizeRelayUrl('wss://relay.example/path/?x=1#f'), 'wss://relay.example/path/?x=1');
    for (const bad of [
      'https://relay.example',
      'relay.example',
      'wss://u:p@relay.example',
      `wss://${'a'.repeat(600)}`,
    ])
      assert.throws(() => normalizeRelayUrl(bad), /relay URL|not a URL|user name/);
  });

  test("places inside somebody's network, in every way to write them", () => {
    const inside = [
      'ws://127.0.0.1',
      'ws://localhost:80',
      'ws://10.1.2.3',
      'ws://172.31.0.1',
      'ws://192.168.0.9',
      'ws://169.254.169.254',
      'ws://0x7f000001',
      'ws://2130706433',
      'ws://017700000001',
      'ws://[::1]',
      'ws://[::ffff:10.0.0.1]',
      'ws://[fd00::1]',
      'ws://[fe80::1]',
      'ws://[64:ff9b::a00:1]',
      'ws://[2002:a00:1::]',
      'ws://router',
      'ws://nas.local',
      'ws://db.internal.',
      'ws://100.64.1.1',
    ];
    for (const url of inside) assert.ok(isPrivateRelayUrl(url), url);
    for (const url of [
      'wss://relay.example.com',
      'wss://8.8.8.8',
      'wss://172.32.0.1',
      'wss://[2606:4700::1]',
    ])
      assert.ok(!isPrivateRelayUrl(url), url);
    assert.ok(isPrivateAddress('::ffff:7f00:1') && !isPrivateAddress('2001:4860:4860::8888'));
  });
});

describe('filters', () => {
  const event = signEvent(
    {
      pubkey,
      kind: 1,
      created_at: 50,
      tags: [
        ['p', 'aa'.repeat(32)],
        ['t', 'x'],
      ],
      content: '',
    },
    KEY,
  );
  test('fields are ANDed, values ORed, empty lists match nothing', () => {
    const matches = (json: unknown) => matchesFilter(parseFilter(json, { valuesMax: 10 }), event);
    for (const yes of [
      {},
      { kinds: [0, 1] },
      { since: 50, until: 50 },
      { '#t': ['y', 'x'], authors: [pubkey] },
      { ids: [event.id], limit: 0 },
    ])
      assert.ok(matches(yes), JSON.stringify(yes));
    for (const no of [
      { kinds: [] },
      { since: 51 },
      { until: 49 },
      { '#t': ['y'] },
      { '#e': ['x'] },
      { kinds: [1], authors: ['aa'.repeat(32)] },
    ])
      assert.ok(!matches(no), JSON.stringify(no));
  });

  test('wrong fields and too many values are refused by name', () => {
    for (const [json, pattern] of [
      [{ ids: ['ab'] }, /ids/],
      [{ kinds: ['1'] }, /kinds/],
      [{ since: 'x' }, /since/],
      [{ '#p': [1] }, /#p/],
      [{ kinds: Array.from({ length: 11 }, (_, i) => i) }, /split/],
      [[], /object/],
    ] as const)
      assert.throws(() => parseFilter(json, { valuesMax: 10 }), pattern);
  });
});
