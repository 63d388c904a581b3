import assert from 'node:assert/strict';
import { test } from 'node:test';
import { memoryPlan } from '@covey/graph';
import { checkMemory, machineMemory } from './memory-check.ts';

const machine = { totalBytes: 16e9, availableBytes: 4e9 };

test('what fits, what is tight and what exceeds the machine is said with figures and the next step', () => {
  assert.equal(checkMemory(1e9, 'placing 5 accounts', machine).verdict, 'fits');
  const tight = checkMemory(5e9, 'placing 5 accounts', machine);
  assert.equal(tight.verdict, 'tight');
  assert.match(tight.text, /needs about 5\.0 GB of memory; 4\.0 GB of 16 GB are free: end other programs/);
  const exceeds = checkMemory(17e9, 'placing 5 accounts', machine);
  assert.equal(exceeds.verdict, 'exceeds');
  assert.match(exceeds.text, /placing 5 accounts needs about 17 GB .* this machine has 16 GB: use a larger/);
});

test('the machine has memory, and no more free than there is', () => {
  const { totalBytes, availableBytes } = machineMemory();
  assert.ok(totalBytes > 1e8 && availableBytes > 0 && availableBytes <= totalBytes);
});

test('the plan grows with the graph, and keeps the largest of steps', () => {
  const small = memoryPlan({ accounts: 1000, follows: 20_000, members: 5 });
  const large = memoryPlan({ accounts: 1e7, follows: 2e8, members: 64, threads: 2 });
  assert.ok(small.peak < 2e8);
  assert.ok(large.peak > 5e9 && large.peak < 16e9, `${large.peak}`);
  assert.ok(large.peak > large.detect && large.peak > large.place && large.detect > large.graph);
  assert.equal(memoryPlan({ accounts: 10, follows: 10 }).place, 0);
});
