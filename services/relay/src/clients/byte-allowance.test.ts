import assert from 'node:assert/strict';
import { it } from 'node:test';
import { ByteAllowance } from './byte-allowance.ts';

function allowance(bytesPerMinute: number) {
  const clock = { nowMs: 1_000_000 };
  return { clock, bytes: new ByteAllowance(bytesPerMinute, () => clock.nowMs) };
}

it('gives a minute of bytes at once, and then as they come', () => {
  const { clock, bytes } = allowance(6000);
  assert.equal(bytes.take(6001), false);
  assert.equal(bytes.take(6000), true);
  assert.equal(bytes.take(1), false);
  clock.nowMs += 10_000;
  assert.equal(bytes.take(1001), false);
  assert.equal(bytes.take(1000), true);
  clock.nowMs += 3_600_000;
  assert.equal(bytes.take(6001), false, 'a long pause is worth no more than a minute');
  assert.equal(bytes.take(6000), true);
});

it('is paid for what was charged, a minute at most, and outlives a clock that goes back', () => {
  const { clock, bytes } = allowance(6000);
  bytes.charge(1_000_000);
  clock.nowMs += 60_000;
  assert.equal(bytes.take(1), false);
  clock.nowMs += 30_000;
  assert.equal(bytes.take(3000), true);
  clock.nowMs -= 3_600_000;
  assert.equal(bytes.take(1), false);
  clock.nowMs += 1000;
  assert.equal(bytes.take(100), true);
});
