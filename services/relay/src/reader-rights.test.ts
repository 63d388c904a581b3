import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseFilter } from '@covey/nostr';
import { ReaderRights } from './reader-rights.ts';

const [me, you] = ['1'.repeat(64), '2'.repeat(64)];
const event = (kind: number, p: string, content = '') =>
  JSON.stringify({
    id: '0'.repeat(64),
    pubkey: '3'.repeat(64),
    created_at: 1,
    kind,
    tags: [['p', p]],
    content,
    sig: '0'.repeat(128),
  });
const filters = (...list: object[]) => list.map((json) => parseFilter(json, { valuesMax: 10 }));

test('a private kind is for those it tags, whatever its text says', () => {
  const keys = new Set<string>();
  const { mayRead } = new ReaderRights(new Set([1059]), () => keys);
  assert.equal(mayRead(event(1059, me)), false);
  assert.equal(mayRead(event(1, me, '"kind":1059,')), true);
  keys.add(me);
  assert.equal(mayRead(event(1059, me, '"kind":1,')), true);
  assert.equal(mayRead(event(1059, you)), false);
  assert.equal(new ReaderRights(new Set(), () => keys).mayRead(event(1059, you)), true);
});

test('who asks for private kinds alone is told what is missing', () => {
  const keys = new Set<string>();
  const rights = new ReaderRights(new Set([1059, 4]), () => keys);
  assert.match(rights.refusal(filters({ kinds: [1059], '#p': [me] }))!, /^auth-required: /);
  assert.match(rights.refusal(filters({ kinds: [1] }, { kinds: [4, 1059] }))!, /^auth-required: /);
  assert.equal(rights.refusal(filters({ kinds: [1, 1059] }, {}, { kinds: [] })), undefined);
  keys.add(me);
  assert.equal(rights.refusal(filters({ kinds: [1059], '#p': [me] })), undefined);
  assert.equal(rights.refusal(filters({ kinds: [1059] })), undefined);
  assert.match(rights.refusal(filters({ kinds: [1059], '#p': [you] }))!, /^restricted: /);
});
