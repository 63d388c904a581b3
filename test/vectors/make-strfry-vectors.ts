/**
 * Writes test/vectors/strfry: exchanges between strfry and a write-policy plugin, in the form in which strfry writes its
 * requests (keys in alphabetical order, one line each, id and signature real). Run it again after a change of the protocol
 * page only; the expected answers are what an enforcer must give, written here by hand.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type NostrEvent, publicKeyOf, signEvent } from '@covey/nostr';
import { MOVE_PHASES } from '@covey/table';

const dir = fileURLToPath(new URL('./strfry/', import.meta.url));
const secret = (digit: string) => digit.repeat(64);
const SECRETS = {
  alice: secret('5'),
  hub: secret('6'),
  nobody: secret('7'),
  denied: secret('8'),
  elsewhere: secret('9'),
  'throw-away': 'ab'.repeat(32),
  ...Object.fromEntries(MOVE_PHASES.map((phase, i) => [phase, `c${i}`.repeat(32)])),
} as Record<string, string>;
const key = (name: string) => publicKeyOf(SECRETS[name]!);
const memberKey = (i: number) => publicKeyOf(`d${i}`.repeat(32));
const url = (i: number) => `wss://m${i}.example`;
const members = [0, 1, 2, 3, 4].map((i) => ({ id: memberKey(i), url: url(i) }));
const groups = [
  { members: [0, 1, 2], accounts: [key('alice'), key('denied')] },
  { members: [3, 4, 0, 2], copies: 2, accounts: [key('hub')] },
  { members: [1, 2], accounts: [key('elsewhere')] },
  ...MOVE_PHASES.map((phase) => ({
    members: [3, 0],
    move: { phase, from: [1, 2] },
    accounts: [key(phase)],
  })),
];
const denyFile = `# keys and kinds\n${key('denied')}  # spam\nkind 1063\nkind 30000-30003\n`;

interface Case {
  it: string;
  by?: string;
  kind?: number;
  tags?: string[][];
  content?: string;
  source?: string;
  info?: string;
  authed?: string;
  /** `accept`, `redirect 1 2`, `reject TEXT`, or `silent` for a rejection that nobody reads. */
  want: string;
}

const p = (...names: string[]) => names.map((name) => ['p', key(name)]);

/** For member 0 in redirect mode, which accepts what is synced. */
const REDIRECT: Case[] = [
  { it: 'an account placed here', by: 'alice', want: 'accept' },
  { it: 'the same over IPv6', by: 'alice', source: 'IP6', info: '2001:db8::7', want: 'accept' },
  { it: 'an account placed elsewhere', by: 'elsewhere', want: 'redirect 1 2' },
  { it: 'the same over IPv6', by: 'elsewhere', source: 'IP6', info: '2001:db8::7', want: 'redirect 1 2' },
  { it: 'a read copy takes no clients’ writes', by: 'hub', want: 'redirect 3 4' },
  { it: 'a key that no group lists lives in its slot, here', by: 'nobody', want: 'accept' },
  ...([0, 3, 7, 10002, 20001, 30023] as const).flatMap((kind): Case[] => [
    { it: `kind ${kind} of an account here`, by: 'alice', kind, want: 'accept' },
    { it: `kind ${kind} of an account elsewhere`, by: 'elsewhere', kind, want: 'redirect 1 2' },
  ]),
  ...([1059, 21059, 24133, 9735] as const).flatMap((kind): Case[] => [
    { it: `kind ${kind} for an account here`, by: 'throw-away', kind, tags: p('alice'), want: 'accept' },
    {
      it: `kind ${kind} for an account elsewhere`,
      by: 'alice',
      kind,
      tags: p('elsewhere'),
      want: 'redirect 1 2',
    },
  ]),
  {
    it: 'a gift wrap for two, one of them here',
    by: 'throw-away',
    kind: 1059,
    tags: p('elsewhere', 'alice'),
    want: 'accept',
  },
  {
    it: 'a gift wrap for two, neither here',
    by: 'throw-away',
    kind: 1059,
    tags: p('elsewhere', 'hub'),
    want: 'redirect 1 2 3 4',
  },
  {
    it: 'a gift wrap for nobody stays with its author',
    by: 'elsewhere',
    kind: 1059,
    tags: [['p', 'npub1']],
    want: 'redirect 1 2',
  },
  { it: 'a mention does not move a note', by: 'elsewhere', tags: p('alice'), want: 'redirect 1 2' },
  { it: 'a protected event of an account here', by: 'alice', tags: [['-']], want: 'accept' },
  { it: 'a protected event of an account elsewhere', by: 'elsewhere', tags: [['-']], want: 'redirect 1 2' },
  { it: 'write-both-read-old: the new list takes writes', by: 'write-both-read-old', want: 'accept' },
  { it: 'copy: the new list takes writes', by: 'copy', want: 'accept' },
  { it: 'write-both-read-new', by: 'write-both-read-new', want: 'accept' },
  { it: 'clean-up', by: 'clean-up', want: 'accept' },
  {
    it: 'whoever is authenticated, an account elsewhere',
    by: 'elsewhere',
    authed: key('elsewhere'),
    want: 'redirect 1 2',
  },
  {
    it: 'a member that is authenticated sends what its table places here',
    by: 'elsewhere',
    authed: memberKey(1),
    want: 'accept',
  },
  {
    it: 'but no protected event of another',
    by: 'alice',
    tags: [['-']],
    authed: memberKey(1),
    want: 'reject blocked: only its author may publish it here (NIP-70)',
  },
  ...(['Import', 'Stored', 'Stream', 'Sync'] as const).flatMap((source): Case[] => {
    const info = source === 'Stream' || source === 'Sync' ? 'wss://upstream.example' : '';
    return [
      { it: `${source}: placed here`, by: 'alice', source, info, want: 'accept' },
      { it: `${source}: placed elsewhere`, by: 'elsewhere', source, info, want: 'accept' },
      { it: `${source}: denied`, by: 'denied', source, info, want: 'silent' },
    ];
  }),
  { it: 'a source of a strfry to come', by: 'elsewhere', source: 'Carrier', want: 'accept' },
  {
    it: 'a denied key, though placed here',
    by: 'denied',
    want: 'reject blocked: this relay takes no events of this key',
  },
  {
    it: 'a denied kind',
    by: 'alice',
    kind: 1063,
    want: 'reject blocked: this relay takes no events of this kind',
  },
  {
    it: 'a kind within a denied range',
    by: 'elsewhere',
    kind: 30002,
    want: 'reject blocked: this relay takes no events of this kind',
  },
  { it: 'a kind beside it', by: 'alice', kind: 30004, want: 'accept' },
  {
    it: 'a gift wrap for a denied account',
    by: 'throw-away',
    kind: 1059,
    tags: p('denied'),
    want: 'reject blocked: this relay takes no events of this key',
  },
  {
    it: 'a gift wrap for a denied account and another',
    by: 'throw-away',
    kind: 1059,
    tags: p('denied', 'alice'),
    want: 'accept',
  },
  {
    it: 'text in every script, and escapes',
    by: 'alice',
    content: '"quoted" \\ \n\t 日本語 🪿 {"id":"x"}',
    want: 'accept',
  },
];

/** For member 0 in observe mode, which rejects what is synced and placed elsewhere. */
const OBSERVE: Case[] = [
  { it: 'an account placed here', by: 'alice', want: 'accept' },
  { it: 'an account placed elsewhere', by: 'elsewhere', want: 'accept' },
  {
    it: 'a denied key all the same',
    by: 'denied',
    want: 'reject blocked: this relay takes no events of this key',
  },
  { it: 'Sync: placed here', by: 'alice', source: 'Sync', info: 'wss://upstream.example', want: 'accept' },
  { it: 'Sync: a read copy here', by: 'hub', source: 'Sync', info: 'wss://upstream.example', want: 'accept' },
  {
    it: 'Sync: placed elsewhere',
    by: 'elsewhere',
    source: 'Sync',
    info: 'wss://upstream.example',
    want: 'silent',
  },
  {
    it: 'Stream: placed elsewhere',
    by: 'elsewhere',
    source: 'Stream',
    info: 'wss://upstream.example',
    want: 'silent',
  },
  { it: 'Import: placed elsewhere', by: 'elsewhere', source: 'Import', want: 'accept' },
  { it: 'Stored: placed elsewhere', by: 'elsewhere', source: 'Stored', want: 'accept' },
];

/** As tao::json writes it: keys in alphabetical order, nothing between them. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, inner]) => [name, sorted(inner)]),
  );
}

function exchange({
  it,
  by = 'alice',
  kind = 1,
  tags = [],
  content = it,
  source = 'IP4',
  info,
  authed,
  want,
}: Case): object {
  const event: NostrEvent = signEvent(
    { pubkey: key(by), created_at: 1_760_000_000, kind, tags, content },
    SECRETS[by]!,
  );
  const request = {
    type: 'new',
    event,
    receivedAt: 1_760_000_001,
    sourceType: source,
    sourceInfo: info ?? (source === 'IP4' ? '203.0.113.7' : ''),
    ...(authed ? { authed } : {}),
  };
  const [action, ...rest] = want.split(' ');
  const out =
    action === 'accept'
      ? { id: event.id, action: 'accept' }
      : action === 'silent'
        ? { id: event.id, action: 'reject', msg: '' }
        : action === 'redirect'
          ? { id: event.id, action: 'reject', msg: `redirect: ${rest.map((i) => url(Number(i))).join(' ')}` }
          : { id: event.id, action: 'reject', msg: rest.join(' ') };
  return { it, in: JSON.stringify(sorted(request)), out };
}

const id = 'e'.repeat(64);
/** Lines that are no good request; `out` is null where nothing may be answered. */
const MALFORMED = [
  { it: 'no JSON at all', in: 'hello', out: null },
  { it: 'cut off before the id', in: '{"event":{"content":"', out: null },
  {
    it: 'cut off after the id',
    in: `{"event":{"content":"x","created_at":1,"id":"${id}","kin`,
    out: { id, action: 'reject', msg: 'invalid: the request is not JSON' },
  },
  { it: 'an id in a string is none', in: `{"event":{"content":"\\"id\\":\\"${id}\\"`, out: null },
  { it: 'a number', in: '7', out: null },
  { it: 'null', in: 'null', out: null },
  { it: 'a list', in: '[1,2]', out: null },
  { it: 'no event', in: '{"type":"new","sourceType":"IP4"}', out: null },
  { it: 'an event that is a string', in: '{"type":"new","event":"x","sourceType":"IP4"}', out: null },
  { it: 'an event without an id', in: '{"type":"new","event":{"kind":1},"sourceType":"IP4"}', out: null },
  { it: 'an id that is a number', in: '{"type":"new","event":{"id":7},"sourceType":"IP4"}', out: null },
  {
    it: 'no type',
    in: `{"event":{"id":"${id}"},"sourceType":"IP4"}`,
    out: { id, action: 'reject', msg: 'invalid: this plugin answers requests of type "new" only' },
  },
  {
    it: 'another type',
    in: `{"type":"old","event":{"id":"${id}"},"sourceType":"IP4"}`,
    out: { id, action: 'reject', msg: 'invalid: this plugin answers requests of type "new" only' },
  },
  {
    it: 'lookback, which wants no answer',
    in: `{"type":"lookback","event":{"id":"${id}"},"sourceType":"IP4"}`,
    out: null,
  },
  {
    it: 'no source',
    in: `{"type":"new","event":{"id":"${id}"}}`,
    out: { id, action: 'reject', msg: 'invalid: the request has no sourceType' },
  },
  {
    it: 'no pubkey',
    in: `{"type":"new","event":{"id":"${id}","kind":1,"tags":[]},"sourceType":"IP4"}`,
    out: { id, action: 'reject', msg: 'invalid: pubkey is not 64 lower-case hex digits' },
  },
  {
    it: 'a pubkey in capitals',
    in: `{"type":"new","event":{"id":"${id}","kind":1,"pubkey":"${'A'.repeat(64)}","tags":[]},"sourceType":"IP4"}`,
    out: { id, action: 'reject', msg: 'invalid: pubkey is not 64 lower-case hex digits' },
  },
  {
    it: 'a kind out of range',
    in: `{"type":"new","event":{"id":"${id}","kind":65536,"pubkey":"${key('alice')}","tags":[]},"sourceType":"IP4"}`,
    out: { id, action: 'reject', msg: 'invalid: kind is not a whole number from 0 to 65535' },
  },
  {
    it: 'tags that are an object',
    in: `{"type":"new","event":{"id":"${id}","kind":1,"pubkey":"${key('alice')}","tags":{}},"sourceType":"IP4"}`,
    out: { id, action: 'reject', msg: 'invalid: tags is not a list' },
  },
  {
    it: 'a tag that is null',
    in: `{"type":"new","event":{"id":"${id}","kind":1,"pubkey":"${key('alice')}","tags":[null]},"sourceType":"IP4"}`,
    out: { id, action: 'reject', msg: 'invalid: a tag is not a list' },
  },
  {
    it: 'tags of other things than strings are passed over',
    in: `{"type":"new","event":{"id":"${id}","kind":1059,"pubkey":"${key('alice')}","tags":[[],["p",7],["p"]]},"sourceType":"IP4"}`,
    out: { id, action: 'accept' },
  },
  {
    it: 'malformed, but the operator’s own',
    in: `{"type":"new","event":{"id":"${id}"},"sourceType":"Import"}`,
    out: { id, action: 'accept' },
  },
  {
    it: 'a key of JavaScript’s',
    in: `{"__proto__":{"event":1},"type":"new","event":{"id":"${id}","kind":1,"pubkey":"${key('alice')}","tags":[]},"sourceType":"IP4"}`,
    out: { id, action: 'accept' },
  },
];

const write = (name: string, lines: readonly object[]) =>
  writeFileSync(`${dir}${name}`, `${lines.map((line) => JSON.stringify(line)).join('\n')}\n`);
mkdirSync(dir, { recursive: true });
writeFileSync(
  `${dir}setting.json`,
  `${JSON.stringify({ self: memberKey(0), cluster: 'test', slotMembers: [0, 1], members, groups, denyFile }, null, 2)}\n`,
);
write('redirect.jsonl', REDIRECT.map(exchange));
write('observe.jsonl', OBSERVE.map(exchange));
write('malformed.jsonl', MALFORMED);
