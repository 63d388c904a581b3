import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { NostrEvent } from '@covey/nostr';
import { RecentArrivals } from './recent-arrivals.ts';

const event = (n: number) => ({ id: String(n) }) as NostrEvent;

test('what a member brought lately is given once, bounded in number and time', () => {
  let now = 0;
  const arrivals = new RecentArrivals(() => now);
  arrivals.add('a', event(-1));
  now = 100_000;
  for (let n = 0; n < 10; n++) arrivals.add('a', event(n));
  arrivals.add('b', event(99));
  assert.deepEqual(
    arrivals.takeFrom('a').map(({ id }) => Number(id)),
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
  );
  assert.deepEqual(arrivals.takeFrom('a'), []);
  for (let n = 0; n < 10_000; n++) arrivals.add('b', event(n));
  assert.equal(arrivals.takeFrom('b').length, 2000);
});
