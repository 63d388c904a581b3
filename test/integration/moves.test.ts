import assert from 'node:assert/strict';
import { it } from 'node:test';
import { moveRounds } from '../chaos/move-rounds.ts';

// Every phase with every victim, and members that stay away: node test/chaos/moves.ts
it('accounts move while the coordinator and members are killed, and a member leaves; nobody who reads or writes notices', {
  timeout: 240_000,
}, async () => {
  const result = await moveRounds({
    members: 5,
    authors: 10,
    share: 0.2,
    rounds: [
      { phase: 'write-both-read-new', victim: 'coordinator' },
      { phase: 'copy', victim: 'new member' },
    ],
    leaves: 4,
  });
  assert.ok(result.acknowledged > 100 && result.reads > 100, JSON.stringify(result));
  assert.deepEqual(result.gaps, [], 'reads that found a gap');
  assert.deepEqual(result.lost, [], 'acknowledged and lost');
});
