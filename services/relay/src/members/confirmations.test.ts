import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Confirmations } from './confirmations.ts';

test('one confirmation is enough', async () => {
  const confirmations = new Confirmations();
  const waits = [confirmations.wait('e', ['a', 'b'], 5000), confirmations.wait('e', ['b'], 5000)];
  confirmations.answered('e', 'a', false);
  confirmations.answered('other', 'b', true);
  confirmations.answered('e', 'b', true);
  assert.deepEqual(await Promise.all(waits), [true, true]);
  assert.equal(confirmations.size, 0);
});

test('nobody left to confirm ends the wait at once', async () => {
  const confirmations = new Confirmations();
  const wait = confirmations.wait('e', ['a', 'b'], 60_000);
  confirmations.answered('e', 'a', false);
  confirmations.answered('e', 'b', false);
  assert.equal(await wait, false);
  assert.equal(await confirmations.wait('e', [], 60_000), false);
});

test('silence ends it after its time', async () => {
  const confirmations = new Confirmations();
  const alive = setTimeout(() => {}, 1000);
  assert.equal(await confirmations.wait('e', ['a'], 10), false);
  clearTimeout(alive);
  assert.equal(confirmations.size, 0);
});
