import assert from 'node:assert/strict';
import { test } from 'node:test';
import { backoffMs } from './backoff.ts';

const backoff = { minMs: 100, maxMs: 1_000, healthyMs: 5_000 };

test('the delay doubles with each failure, up to its bound', () => {
  const most = [1, 2, 3, 4, 5, 6, 1_000].map((failures) => backoffMs(failures, backoff, 0.999_999));
  assert.deepEqual(most, [100, 200, 400, 800, 1_000, 1_000, 1_000]);
});

test('chance takes at most half of the delay away', () => {
  assert.equal(backoffMs(1, backoff, 0), 50);
  assert.equal(backoffMs(9, backoff, 0), 500);
});
