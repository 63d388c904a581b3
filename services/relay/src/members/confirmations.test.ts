import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Confirmations } from './confirmations.ts';

const taken = { accepted: true, message: '', final: true };
const later = { accepted: false, message: 'error: later', final: false };
const blocked = { accepted: false, message: 'blocked: deleted', final: true };

test('one confirmation is enough', async () => {
  const confirmations = new Confirmations();
  const waits = [confirmations.wait('e', ['a', 'b'], 5000), confirmations.wait('e', ['b'], 5000)];
  confirmations.answered('e', 'a', later);
  confirmations.answered('other', 'b', taken);
  confirmations.answered('e', 'b', taken);
  assert.deepEqual(
    (await Promise.all(waits)).map(({ confirmed }) => confirmed),
    [true, true],
  );
  assert.equal(confirmations.size, 0);
});

test('nobody left to confirm ends the wait at once', async () => {
  const confirmations = new Confirmations();
  const wait = confirmations.wait('e', ['a', 'b'], 60_000);
  confirmations.answered('e', 'a', later);
  confirmations.answered('e', 'b', undefined);
  assert.deepEqual(await wait, { confirmed: false, message: '' });
  assert.deepEqual(await confirmations.wait('e', [], 60_000), { confirmed: false, message: '' });
});

test('a refusal for good is told, unless another holder takes it', async () => {
  const confirmations = new Confirmations();
  const wait = () => confirmations.wait('e', ['a', 'b'], 60_000);
  const refused = wait();
  confirmations.answered('e', 'a', blocked);
  confirmations.answered('e', 'b', later);
  assert.deepEqual(await refused, { confirmed: false, message: 'blocked: deleted' });
  const stored = wait();
  confirmations.answered('e', 'a', blocked);
  confirmations.answered('e', 'b', taken);
  assert.deepEqual(await stored, { confirmed: true, message: '' });
});

test('silence ends it after its time', async () => {
  const confirmations = new Confirmations();
  const alive = setTimeout(() => {}, 1000);
  assert.equal((await confirmations.wait('e', ['a'], 10)).confirmed, false);
  clearTimeout(alive);
  assert.equal(confirmations.size, 0);
});
