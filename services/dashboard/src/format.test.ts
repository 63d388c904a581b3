import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ago, bytes, duration, figure, percent, plural } from './format.ts';

test('numbers for people', () => {
  assert.equal(figure(2.4137), '2.41');
  assert.equal(figure(29_827), '29,827');
  assert.equal(percent(0.004), '< 1 %');
  assert.equal(percent(0), '0 %');
  assert.equal(percent(1.034), '103 %');
  assert.equal(bytes(999), '999 B');
  assert.equal(bytes(1_230_000), '1.23 MB');
  assert.equal(plural(1, 'relay'), '1 relay');
  assert.equal(plural(1200, 'community', 'communities'), '1,200 communities');
});

test('times for people', () => {
  assert.equal(duration(12.4), '12 ms');
  assert.equal(duration(4_210), '4.21 s');
  assert.equal(duration(600_000), '10 min');
  assert.equal(ago(0, 4_000), 'just now');
  assert.equal(ago(0, 59_000), '59 s ago');
  assert.equal(ago(0, 3_599_000), '59 min ago');
  assert.equal(ago(0, 86_399_000), '23 h ago');
  assert.equal(ago(0, 86_400_000), '1 day ago');
  assert.equal(ago(5_000, 0), 'just now', 'a clock that is behind');
});
