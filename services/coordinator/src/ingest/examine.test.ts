import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RejectReason } from '@covey/jobs';
import { npubEncode, publicKeyOf, signEvent } from '@covey/nostr';
import { EXAMINE_DEFAULTS, type ExamineOptions, examine } from './examine.ts';
import { blockOf } from './source-chunk.ts';

const SECRET = '1'.repeat(64);
const AUTHOR = publicKeyOf(SECRET);
const NOW = 1_750_000_000;
const options: ExamineOptions = { ...EXAMINE_DEFAULTS, source: 'test', privateUrls: false, profiles: false };
const a = 'aa'.repeat(32);
const b = 'bb'.repeat(32);

function event(fields: { kind?: number; tags?: string[][]; created_at?: number; content?: string } = {}) {
  return signEvent(
    { pubkey: AUTHOR, kind: 3, created_at: NOW, tags: [['p', a]], content: '', ...fields },
    SECRET,
  );
}

const look = (records: (string | Uint8Array)[], changed: Partial<ExamineOptions> = {}) =>
  examine(blockOf(records.map((record) => Buffer.from(record))), NOW, { ...options, ...changed });

const reasonOf = (record: string | Uint8Array, changed: Partial<ExamineOptions> = {}) => {
  const { rejected, lists } = look([record], changed);
  return lists.length > 0 ? undefined : (Object.keys(rejected)[0] as RejectReason | undefined);
};

test('each thing that can be wrong with an event has its reason', () => {
  const good = event();
  const json = JSON.stringify(good);
  assert.equal(reasonOf(json), undefined);
  assert.equal(reasonOf(json.slice(0, -5)), 'broken json');
  assert.equal(reasonOf('['.repeat(100_000)), 'broken json');
  assert.equal(
    reasonOf(Buffer.concat([Buffer.from('{"content":"'), Buffer.of(0xff, 0xfe), Buffer.from('"}')])),
    'invalid utf-8',
  );
  for (const value of ['null', '[]', '5', '"x"', '{}', '{"tags":5}'])
    assert.equal(reasonOf(value), 'malformed', value);
  assert.equal(reasonOf(JSON.stringify({ ...good, created_at: -1 })), 'malformed');
  assert.equal(reasonOf(JSON.stringify({ ...good, content: '\ud800' })), 'malformed');
  assert.equal(reasonOf(JSON.stringify(event({ kind: 1 }))), 'other kind');
  assert.equal(reasonOf(JSON.stringify({ ...good, content: 'changed' })), 'wrong id');
  assert.equal(reasonOf(JSON.stringify({ ...good, sig: event({ created_at: 5 }).sig })), 'wrong signature');
  assert.equal(reasonOf(JSON.stringify({ ...event(), pubkey: 'ff'.repeat(32) })), 'wrong id');
  assert.equal(reasonOf(JSON.stringify(event({ created_at: NOW + 901 }))), 'future');
  assert.equal(reasonOf(JSON.stringify(event({ created_at: NOW + 900 }))), undefined);
});

test('size comes before everything: a list of 50,000 tags is too large, not badly signed', () => {
  const tags = Array.from({ length: 50_000 }, (_, i) => ['p', i.toString(16).padStart(64, '0')]);
  const huge = JSON.stringify({ ...event(), tags, sig: '0'.repeat(128) });
  assert.ok(huge.length > 3_600_000);
  assert.equal(reasonOf(huge), 'too large');
  assert.equal(reasonOf(huge, { eventBytesMax: 2 ** 23 }), 'too many tags');
  assert.equal(reasonOf(huge, { eventBytesMax: 2 ** 23, tagsMax: 50_000 }), 'wrong id');
});

test('what is dated ahead is kept only when it is genuine', () => {
  const ahead = event({ created_at: 4_070_908_800 });
  assert.equal(look([JSON.stringify(ahead)]).future.length, 1);
  const forged = { ...ahead, sig: '0'.repeat(128) };
  assert.equal(look([JSON.stringify(forged)]).future.length, 0);
  assert.equal(reasonOf(JSON.stringify(forged)), 'wrong signature');
});

test('a list counts each account once and its author never', () => {
  const tags = [
    ['p', b],
    ['p', a],
    ['p', b],
    ['p', AUTHOR],
    ['p', 'short'],
    ['p', npubEncode(a)],
    ['e', a],
    ['p', a.toUpperCase()],
  ];
  const [list] = look([JSON.stringify(event({ tags }))]).lists;
  assert.equal(list?.type, 'follows');
  assert.equal(Buffer.from(list.followees).toString('hex'), b + a);
});

test('relay lists lose private URLs unless the profile allows them, and are bounded', () => {
  const record = JSON.stringify(
    event({
      kind: 10002,
      tags: [
        ['r', 'wss://relay.example.com/'],
        ['r', 'ws://127.0.0.1:7777', 'write'],
        ['r', 'nonsense'],
        ['r', 'wss://b.example.com', 'read'],
      ],
    }),
  );
  const { lists, privateRelayUrls } = look([record]);
  assert.deepEqual(lists[0]?.type === 'relays' && lists[0].entries, [
    { url: 'wss://relay.example.com', read: true, write: true },
    { url: 'wss://b.example.com', read: true, write: false },
  ]);
  assert.equal(privateRelayUrls, 1);
  const all = look([record], { privateUrls: true, relayEntriesMax: 2 });
  assert.equal(all.lists[0]?.type === 'relays' && all.lists[0].entries.length, 2);
  assert.equal(all.privateRelayUrls, 0);
});

test('names come from kind 0 when asked for', () => {
  const profile = (content: string) => JSON.stringify(event({ kind: 0, tags: [], content }));
  const named = look([profile('{"name":"a\\u202eb\\n c","display_name":"  "}')], { profiles: true });
  assert.equal(named.lists[0]?.type === 'profile' && named.lists[0].name, 'a b c');
  assert.equal(reasonOf(profile('{"name":"x"}')), 'other kind');
  for (const content of ['no json', 'null', '{}', '{"name":5}'])
    assert.equal(reasonOf(profile(content), { profiles: true }), 'malformed', content);
});

test('events in the wrapping that relays send them in', () => {
  assert.equal(reasonOf(JSON.stringify(['EVENT', 'sub', event()])), undefined);
  assert.equal(reasonOf(JSON.stringify(['NOTICE', 'hello'])), 'malformed');
});
