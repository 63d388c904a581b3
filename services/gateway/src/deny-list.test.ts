import assert from 'node:assert/strict';
import { test } from 'node:test';
import { npubEncode } from '@covey/nostr';
import { deniedBy, parseDenyList, readDenyList } from './deny-list.ts';

const key = (digit: string) => digit.repeat(64);

test('keys, kinds, ranges and comments are read; what is neither is named', () => {
  const text = `# ours\n${key('a')}\n${npubEncode(key('b'))} # why\r\n\nkind 4\nkind:30000-30003\nkinds 7\nkind 9-8\nnsec1x`;
  const { pubkeys, kinds, problems } = parseDenyList(text);
  assert.deepEqual([...pubkeys], [key('a'), key('b')]);
  assert.deepEqual(kinds, [
    { from: 4, to: 4 },
    { from: 30_000, to: 30_003 },
  ]);
  assert.deepEqual(
    problems.map((problem) => problem.slice(0, 7)),
    ['line 7:', 'line 8:', 'line 9:'],
  );
});

test('a gift wrap is denied for whom it is for, when all of them are', () => {
  const list = parseDenyList(key('a'));
  const wrap = (...tagged: string[]) => ({
    kind: 1059,
    pubkey: key('f'),
    tags: tagged.map((to) => ['p', to]),
  });
  assert.equal(deniedBy(list, wrap(key('a'))), 'key');
  assert.equal(deniedBy(list, wrap(key('a'), key('b'))), undefined);
  assert.equal(deniedBy(list, { ...wrap(key('b')), pubkey: key('a') }), 'key');
  assert.equal(deniedBy(list, { kind: 1, pubkey: key('f'), tags: [['p', key('a')]] }), undefined);
});

test('a file that is not there is an error that names it', () => {
  assert.throws(() => readDenyList('/nowhere/deny'), /deny list \/nowhere\/deny .*ENOENT/);
});
