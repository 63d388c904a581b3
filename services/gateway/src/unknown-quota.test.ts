import assert from 'node:assert/strict';
import { test } from 'node:test';
import { UnknownQuota } from './unknown-quota.ts';

test('an address has its share of every minute, an IPv6 network one together', () => {
  let now = 0;
  const quota = new UnknownQuota({ perMinute: 2, clock: () => now });
  const take = (...addresses: string[]) => addresses.map((address) => quota.take(address));
  assert.deepEqual(take('192.0.2.1', '192.0.2.1', '192.0.2.1', '192.0.2.2'), [true, true, false, true]);
  assert.deepEqual(
    take('2001:db8::1', '2001:db8:0:0:9::2', '2001:0db8:0000:0000:1:2:3:4', '2001:db8:0:1::1'),
    [true, true, false, true],
  );
  now = 59_999;
  assert.equal(quota.take('192.0.2.1'), false);
  now = 60_000;
  assert.equal(quota.take('192.0.2.1'), true);
});

test('its memory is bounded: further addresses share one count', () => {
  const quota = new UnknownQuota({ perMinute: 1, clock: () => 0 });
  let taken = 0;
  for (let i = 0; i < 70_000; i++) if (quota.take(`10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`)) taken++;
  assert.equal(taken, 65_536 + 1);
  assert.equal(quota.take('10.0.0.0'), false);
});
