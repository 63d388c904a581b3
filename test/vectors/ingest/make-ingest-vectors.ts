// Writes mixed.jsonl and mixed.expected.json: node test/vectors/ingest/make-ingest-vectors.ts
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { publicKeyOf, signEvent, supersedes } from '@covey/nostr';

const T = 1_700_000_000;
const [A, B, C] = ['1', '2', '3'].map((digit) => digit.repeat(64)) as [string, string, string];
const [a, b, c] = [A, B, C].map(publicKeyOf) as [string, string, string];

const event = (secret: string, kind: number, created_at: number, tags: string[][], content = '') =>
  signEvent({ pubkey: publicKeyOf(secret), kind, created_at, tags, content }, secret);
const p = (...keys: string[]) => keys.map((key) => ['p', key]);
const json = (value: unknown) => JSON.stringify(value);

const alice = event(A, 3, T, p(b, c));
const messy = [...p(b), ['p', b, 'wss://hint.example.com', 'petname'], ...p(a, c, 'nonsense')];
const aliceNewer = json(event(A, 3, T + 100, messy));
const relays = [
  ['r', 'wss://relay.example.com'],
  ['r', 'ws://192.168.1.4:7777'],
  ['r', 'wss://write.example.com', 'write'],
];
// Two lists of one second: the one with the lowest id stands.
const followsAlice = event(B, 3, T, p(a));
const followsCarol = event(B, 3, T, p(c));
const [stands, falls] = supersedes(followsAlice, followsCarol)
  ? [followsAlice, followsCarol]
  : [followsCarol, followsAlice];

const lines: (string | Uint8Array)[] = [
  json(alice),
  json(falls),
  json(event(A, 10002, T, relays)),
  json(event(A, 3, T - 50, p(c))), // older
  aliceNewer,
  aliceNewer, // a repeat
  json(stands),
  json(falls),
  '{"kind":3,"content":"cut off',
  json(alice).slice(0, 200),
  Buffer.concat([Buffer.from('{"kind":3,"content":"'), Buffer.of(0xc3, 0x28, 0xff), Buffer.from('"}')]),
  json({ ...event(C, 3, T, p(a)), content: 'not what was signed' }),
  json({ ...event(C, 3, T, p(b)), sig: event(C, 3, T, p(a)).sig }),
  json({ ...event(C, 3, T + 1, p(b)), tags: undefined }),
  '42',
  json({ ...event(C, 3, T + 1, p(b)), created_at: 'yesterday' }),
  json(event(A, 1, T, [], 'hello')),
  json(event(A, 0, T, [], '{"name":"alice"}')),
  json(event(C, 3, 4_070_908_800, p(a, b))),
  '',
  '   ',
  `${json(['EVENT', 'sub', event(C, 3, T + 5, p(a))])}\r`,
];

const expected = {
  counts: {
    read: 20,
    accepted: 6,
    replaced: 2,
    duplicate: 1,
    stale: 2,
    yields: 0,
    rejected: {
      'broken json': 2,
      'invalid utf-8': 1,
      'wrong id': 1,
      'wrong signature': 1,
      malformed: 3,
      'other kind': 2,
      future: 1,
    },
    follows: 7,
    privateRelayUrls: 1,
    crowdedSeconds: 0,
    changed: 6,
  },
  follows: { [a]: [b, c].sort(), [b]: stands === followsAlice ? [a] : [c], [c]: [a] },
  relays: { [a]: ['wss://relay.example.com', 'wss://write.example.com'] },
};

const feeds = lines.flatMap((line, i) => (i === 0 ? [line] : ['\n', line]));
writeFileSync(join(import.meta.dirname, 'mixed.jsonl'), Buffer.concat(feeds.map((part) => Buffer.from(part))));
writeFileSync(join(import.meta.dirname, 'mixed.expected.json'), `${json(expected)}\n`);
