import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { decideList, type ListVersion } from './newest-wins.ts';

const version = fc.record<ListVersion>(
  {
    createdAt: fc.integer({ min: 0, max: 5 }),
    id: fc.constantFrom('00', '01', '02', 'ff'),
    signed: fc.boolean(),
  },
  { noNullPrototype: true },
);

const standing = (lists: readonly ListVersion[]) =>
  lists.reduce<ListVersion | undefined>((stands, list) => {
    const decision = decideList(stands, list);
    return decision === 'new' || decision === 'replaces' ? list : stands;
  }, undefined);

test('the list that stands is the same in whatever order lists arrive', () => {
  fc.assert(
    fc.property(fc.array(version, { minLength: 1 }), fc.array(fc.nat()), (lists, keys) => {
      const shuffled = lists
        .map((list, i) => ({ list, key: keys[i] ?? 0 }))
        .sort((a, b) => a.key - b.key)
        .map(({ list }) => list);
      assert.deepEqual(standing(shuffled), standing(lists));
      assert.deepEqual(standing(lists.toReversed()), standing(lists));
    }),
  );
});

test('the one that stands is signed if any is, then the newest, then has the lowest id', () => {
  fc.assert(
    fc.property(fc.array(version, { minLength: 1 }), (lists) => {
      const [best] = lists.toSorted(
        (a, b) => Number(b.signed) - Number(a.signed) || b.createdAt - a.createdAt || (a.id < b.id ? -1 : 1),
      );
      assert.deepEqual(standing(lists), best);
    }),
  );
});

test('an unsigned list yields to a signed one that is older', () => {
  const signed = { createdAt: 1, id: '01', signed: true };
  const unsigned = { createdAt: 2, id: '00', signed: false };
  assert.equal(decideList(signed, unsigned), 'yields');
  assert.equal(decideList(unsigned, signed), 'replaces');
});

test('the same list again is a duplicate, an older one is stale', () => {
  const list = { createdAt: 1, id: '01', signed: true };
  assert.equal(decideList(undefined, list), 'new');
  assert.equal(decideList(list, { ...list }), 'duplicate');
  assert.equal(decideList(list, { ...list, createdAt: 0 }), 'stale');
  assert.equal(decideList(list, { ...list, id: '02' }), 'stale');
  assert.equal(decideList(list, { ...list, id: '00' }), 'replaces');
});
