import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { GUARDS, type Guard } from './guards.ts';
import { runSeed } from './run-seed.ts';

/** Guards with a seed that finds them soon; `npm run sim -- --guards` looks for all of them. */
const FOUND: Partial<Record<Guard, number>> = {
  'sync before OK': 1,
  'two copies': 1,
  'spool on disk': 1,
  'epochs rise': 11,
  'catch up': 1,
  'pass on': 686,
  'full from the full': 70,
  'view in comparisons': 35,
  overlay: 1,
  majority: 4,
  'delta base': 2,
  refute: 2,
  'indirect probes': 141,
  'probe the dead': 2,
  'one lease': 1,
  'commit first': 1,
  replay: 75,
  stages: 1,
  'stages wait': 74,
  fence: 9,
};

describe('members under faults', { timeout: 120_000 }, () => {
  it('keep what they promise', async () => {
    let reads = 0;
    let acknowledged = 0;
    for (let seed = 1; seed <= 2; seed++) {
      const result = await runSeed(seed);
      assert.equal(result.violation, undefined, `seed ${seed}: ${JSON.stringify(result.violation)}`);
      reads += result.reads;
      acknowledged += result.acknowledged;
    }
    assert.ok(reads > 300 && acknowledged > 300, `${reads} reads, ${acknowledged} acknowledged`);
  });

  it('the same seed is the same run', async () => {
    const [a, b] = [await runSeed(5, { seconds: 30 }), await runSeed(5, { seconds: 30 })];
    assert.deepEqual(a, b);
    assert.notEqual(a.digest, (await runSeed(6, { seconds: 30 })).digest);
  });
});

describe('without a guard it is found', { timeout: 120_000 }, () => {
  for (const [guard, seed] of Object.entries(FOUND) as [Guard, number][])
    it(GUARDS[guard], async () => {
      assert.ok((await runSeed(seed, { without: new Set([guard]) })).violation);
    });
});
