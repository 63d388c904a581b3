import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { negLn } from './fixed-log.ts';
import { rendezvous } from './rendezvous.ts';
import { placeSlots, SLOTS, slotOf } from './slots.ts';

test('−ln in fixed point: vectors for other implementations, and the true value within 2⁻²⁰', () => {
  const vectors: [number, number][] = [
    [0, 372130560],
    [1, 360501480],
    [0x7fffffff, 11629080],
    [0xffffffff, 0],
  ];
  for (const [hash, value] of vectors) assert.equal(negLn(hash), value);
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 0xffffffff }), (hash) => {
      const exact = -Math.log((hash + 1) / 2 ** 32);
      const fixed = negLn(hash);
      assert.ok(Number.isSafeInteger(fixed) && fixed >= 0);
      assert.ok(Math.abs(fixed / 2 ** 24 - exact) < 2 ** -20 * 4, `${hash}: ${fixed / 2 ** 24} ${exact}`);
    }),
  );
});

test('rendezvous gives keys in proportion to weight and moves only what it must', () => {
  const members = [1, 1, 2, 4].map((weight, i) => ({ id: `m${i}`, weight }));
  const first = new Uint32Array(4);
  for (let key = 0; key < 8000; key++) {
    const chosen = rendezvous(`k${key}`, members, 2);
    first[chosen[0]]++;
    const without = rendezvous(
      `k${key}`,
      members.filter((_, i) => i !== chosen[0]),
      1,
    );
    const left = members.filter((_, i) => i !== chosen[0])[without[0]];
    assert.equal(left.id, members[chosen[1]].id);
  }
  [1000, 1000, 2000, 4000].forEach((share, i) => {
    assert.ok(Math.abs(first[i] - share) < share * 0.12, `${[...first]}`);
  });
});

test('the order of members does not matter, and domains differ while they can', () => {
  const members = ['a', 'b', 'c', 'd'].map((id) => ({ id, weight: 1 }));
  const reversed = members.toReversed();
  for (let key = 0; key < 200; key++) {
    const ids = rendezvous(`${key}`, members, 3).map((i) => members[i].id);
    assert.deepEqual(
      ids,
      rendezvous(`${key}`, reversed, 3).map((i) => reversed[i].id),
    );
    const apart = rendezvous(`${key}`, members, 2, (i) => (i < 3 ? 'x' : 'y'));
    assert.ok(apart.includes(3));
    assert.equal(rendezvous(`${key}`, members, 3, () => 'x').length, 3);
  }
});

test('slots: 4,096 of them, the first 12 bits of SHA-256, draining members hold none', () => {
  // SHA-256 of 32 zero bytes begins 66687aad…
  assert.equal(slotOf(new Uint8Array(32)), 0x666);
  const slots = placeSlots([{ id: 'a' }, { id: 'b' }, { id: 'c' }, { id: 'd', draining: true }], 3);
  assert.equal(slots.length, SLOTS);
  for (const { members } of slots) assert.deepEqual(members.toSorted(), [0, 1, 2]);
  assert.throws(() => placeSlots([{ id: 'a' }], 3), /2 short/);
});
