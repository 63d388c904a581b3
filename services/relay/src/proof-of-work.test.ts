import assert from 'node:assert/strict';
import { test } from 'node:test';
import { lackOfWork, leadingZeroBits } from './proof-of-work.ts';

test('counts leading zero bits as the examples of NIP-13', () => {
  assert.equal(leadingZeroBits('000000000e9d97a1ab09fc381030b346cdd7a142ad57e6df0b46dc9bef6c7e2d'), 36);
  assert.equal(leadingZeroBits(`002f${'0'.repeat(60)}`), 10);
  assert.equal(leadingZeroBits('f'.repeat(64)), 0);
  assert.equal(leadingZeroBits('0'.repeat(64)), 256);
});

test('asks for the bits and for the committed target', () => {
  const id = '000000000e9d97a1ab09fc381030b346cdd7a142ad57e6df0b46dc9bef6c7e2d';
  const nonce = (target: string) => ({ id, tags: [['nonce', '776797', target]] });
  assert.equal(lackOfWork(nonce('20'), 0), undefined);
  assert.equal(lackOfWork(nonce('20'), 20), undefined);
  assert.match(lackOfWork(nonce('20'), 21)!, /committed target 20 is less than 21/);
  assert.match(lackOfWork(nonce('40'), 37)!, /difficulty 36 is less than 37/);
  assert.match(lackOfWork(nonce('many'), 10)!, /commits to no target/);
  assert.match(lackOfWork({ id, tags: [['nonce', '1']] }, 10)!, /commits to no target/);
  assert.match(lackOfWork({ id, tags: [] }, 10)!, /commits to no target/);
});
