import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { DEFAULT_LIVENESS } from './config.ts';
import { parseRumours, type Rumour, supersedes, writeRumours } from './rumour.ts';
import { suspicionMs } from './suspicion.ts';

const member = fc.stringMatching(/^[0-9a-f]{64}$/);
const rumour: fc.Arbitrary<Rumour> = fc.record(
  {
    member,
    status: fc.constantFrom('alive' as const, 'returning' as const, 'suspect' as const, 'dead' as const),
    incarnation: fc.nat(),
    by: fc.array(member, { maxLength: 4 }),
  },
  { noNullPrototype: true },
);

test('what is written is read back, through JSON', () => {
  fc.assert(
    fc.property(fc.array(rumour, { maxLength: 32 }), (rumours) => {
      assert.deepEqual(parseRumours(JSON.parse(JSON.stringify(writeRumours(rumours)))), rumours);
    }),
    { seed: 1 },
  );
});

test('anything else is not', () => {
  const id = 'a'.repeat(64);
  const good = [id, 'alive', 1];
  assert.ok(parseRumours([good]));
  for (const bad of [
    undefined,
    {},
    [id],
    [[id]],
    [['A'.repeat(64), 'alive', 1]],
    [[id, 'living', 1]],
    [[id, 'toString', 1]],
    [[id, 'alive', -1]],
    [[id, 'alive', 1.5]],
    [[id, 'alive', 2 ** 60]],
    [[id, 'suspect', 1, 'x']],
    [[id, 'suspect', 1, id, id, id, id, id]],
    Array.from({ length: 33 }, () => good),
  ])
    assert.equal(parseRumours(bad), undefined, JSON.stringify(bad));
});

test('of two rumours at most one is news against the other, and the order has no circle', () => {
  fc.assert(
    fc.property(rumour, rumour, rumour, (a, b, c) => {
      assert.ok(!(supersedes(a, b) && supersedes(b, a)));
      if (supersedes(a, b) && supersedes(b, c)) assert.ok(supersedes(a, c));
    }),
    { seed: 1 },
  );
});

test('a verdict comes sooner with each that confirms it', () => {
  const times = [0, 1, 2, 3, 9].map((n) => suspicionMs(DEFAULT_LIVENESS, n, 6));
  assert.equal(times[0], DEFAULT_LIVENESS.suspicionMsMax);
  assert.deepEqual(times.slice(3), [DEFAULT_LIVENESS.suspicionMsMin, DEFAULT_LIVENESS.suspicionMsMin]);
  assert.ok(times[0]! > times[1]! && times[1]! > times[2]! && times[2]! > times[3]!);
  assert.equal(suspicionMs(DEFAULT_LIVENESS, 0, 0), DEFAULT_LIVENESS.suspicionMsMin);
});
