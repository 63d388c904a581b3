import assert from 'node:assert/strict';
import { it } from 'node:test';
import { killRounds } from '../chaos/kill-rounds.ts';

// Longer runs: node test/chaos/relay-kill.ts --rounds 100
it('members killed under load, most with their disks, lose nothing that was acknowledged', {
  timeout: 200_000,
}, async () => {
  const seed = Math.floor(Math.random() * 2 ** 31);
  let state = seed;
  // A linear congruential generator: good enough to choose victims, and replayed from its seed.
  const random = () => {
    state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff;
    return state / 0x80000000;
  };
  const result = await killRounds({ rounds: 5, wipeShare: 0.7, random });
  assert.ok(result.acknowledged > 200, `${result.acknowledged} acknowledged`);
  assert.deepEqual(result.lost, [], `lost with seed ${seed}`);
  // With one member away two copies live: hardly anything may stand on one alone.
  assert.ok(result.weak < result.acknowledged / 10, `${result.weak} of ${result.acknowledged} on one copy`);
});
