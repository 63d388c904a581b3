import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { planRelays } from './plan.ts';

const anyHolders = fc.array(fc.uniqueArray(fc.nat(9), { maxLength: 4 }), { maxLength: 40 });

test('every key is read from as many holders as asked and had, and only from holders', () => {
  fc.assert(
    fc.property(anyHolders, fc.integer({ min: 1, max: 3 }), fc.nat(5), (holders, copies, seed) => {
      const plan = planRelays({ keys: holders.length, holders: (key) => holders[key], copies, reader: seed });
      const reads = holders.map(() => 0);
      for (const { member, keys } of plan.relays) {
        for (const key of keys) {
          assert.ok(holders[key].includes(member));
          reads[key]++;
        }
      }
      holders.forEach((held, key) => {
        assert.equal(reads[key], Math.min(copies, held.length));
      });
      assert.deepEqual(
        plan.uncovered,
        holders.flatMap((held, key) => (held.length === 0 ? [key] : [])),
      );
      assert.equal(new Set(plan.relays.map((relay) => relay.member)).size, plan.relays.length);
    }),
  );
});

test('greedy stays within the logarithmic bound of the best cover', () => {
  fc.assert(
    fc.property(anyHolders, (all) => {
      const holders = all.filter((held) => held.length > 0);
      const { relays } = planRelays({ keys: holders.length, holders: (key) => holders[key] });
      let best = 10;
      for (let open = 0; open < 1024; open++) {
        if (!holders.every((held) => held.some((member) => open & (1 << member)))) continue;
        let size = 0;
        for (let bits = open; bits; bits &= bits - 1) size++;
        best = Math.min(best, size);
      }
      if (holders.length === 0) assert.equal(relays.length, 0);
      else assert.ok(relays.length <= best * (1 + Math.log(holders.length)), `${relays.length} ${best}`);
    }),
  );
});

test('maxRelays leaves the rest uncovered', () => {
  const holders = [[0], [0], [1], [2]];
  const plan = planRelays({ keys: 4, holders: (key) => holders[key], maxRelays: 1 });
  assert.deepEqual(plan, { relays: [{ member: 0, keys: [0, 1] }], uncovered: [2, 3] });
  assert.deepEqual(
    planRelays({ keys: 4, holders: (key) => holders[key], maxRelays: 0 }).uncovered,
    [0, 1, 2, 3],
  );
});

test('a relay that later ones make redundant is not opened', () => {
  // Greedy opens 0 (four keys) first; 1 and 2 cover them all.
  const holders = [[0, 1], [0, 1], [0, 2], [0, 2], [1], [2]];
  const plan = planRelays({ keys: 6, holders: (key) => holders[key] });
  assert.deepEqual(plan.relays.map((relay) => relay.member).sort(), [1, 2]);
});

test('readers spread over equal relays, in inverse proportion to price', () => {
  const opened = new Uint32Array(3);
  for (let seed = 0; seed < 6000; seed++) {
    const plan = planRelays({ keys: 1, holders: () => [0, 1, 2], reader: seed, openPrices: [100, 100, 200] });
    opened[plan.relays[0].member]++;
  }
  [2400, 2400, 1200].forEach((share, i) => {
    assert.ok(Math.abs(opened[i] - share) < 200, `${[...opened]}`);
  });
});
