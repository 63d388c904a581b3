import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ConfigError } from '@covey/config';
import fc from 'fast-check';
import { disjointRules, isRetained, parseRetention } from './retention.ts';

test('rules are read, the first that names a kind decides, and what deletes stays', () => {
  const rules = parseRetention('COVEY_RETENTION', '1=10, 30000-39999=1,0-9=100');
  const now = 1_000_000_000;
  const at = (kind: number, days: number) =>
    isRetained(rules, { kind, created_at: now - days * 86_400 }, now);
  assert.deepEqual(
    [at(1, 9), at(1, 11), at(7, 99), at(7, 101), at(30023, 2), at(20, 1000)],
    [true, false, true, false, false, true],
  );
  assert.equal(at(5, 1000), true);
  assert.equal(at(62, 1000), true);
  assert.deepEqual(parseRetention('X', ''), []);
  for (const bad of ['1', '1=0', '5-1=3', 'a=1', '70000=1'])
    assert.throws(() => parseRetention('X', bad), ConfigError, bad);
});

test('disjoint rules keep what the rules keep, and no kind falls under two', () => {
  const rule = fc
    .tuple(fc.nat(99), fc.nat(99), fc.integer({ min: 1, max: 50 }))
    .map(([a, b, seconds]) => ({ from: Math.min(a, b), to: Math.max(a, b), seconds }));
  fc.assert(
    fc.property(fc.array(rule, { maxLength: 8 }), fc.nat(100), fc.nat(60), (rules, kind, age) => {
      const mine = disjointRules(rules).filter(({ from, to }) => kind >= from && kind <= to);
      assert.ok(mine.length <= 1);
      const kept = mine.every(({ seconds }) => 1000 - age >= 1000 - seconds);
      assert.equal(kept, isRetained(rules, { kind, created_at: 1000 - age }, 1000));
    }),
    { numRuns: 500, seed: 5 },
  );
});
