import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { FollowerLease, RENEW_MS, STALE_MS } from './follower-lease.ts';

const dir = mkdtempSync(join(tmpdir(), 'covey-lease-'));
after(() => rmSync(dir, { recursive: true }));

test('one holds it while it renews, another when it has not for a while', () => {
  let now = 1_700_000_000_000;
  const clock = () => now;
  const first = new FollowerLease(dir, clock);
  const second = new FollowerLease(dir, clock);
  assert.equal(first.hold(), true);
  assert.equal(second.hold(), false);
  for (let i = 0; i < 10; i++) {
    now += RENEW_MS;
    assert.equal(first.hold(), true);
    assert.equal(second.hold(), false);
  }
  now += STALE_MS;
  assert.equal(second.hold(), true);
  assert.equal(first.hold(), false, 'whoever was paused gives way');
  first.release();
  assert.equal(second.hold(), true, 'and releases nothing that is not its own');
  second.release();
  assert.equal(first.hold(), true);
});

test('a date in the future, after the clock was set back, holds nobody up for long', () => {
  let now = 1_800_000_000_000;
  const before = new FollowerLease(dir, () => now);
  rmSync(join(dir, 'follower.lease'), { force: true });
  assert.equal(before.hold(), true);
  now -= 3_600_000;
  assert.equal(new FollowerLease(dir, () => now).hold(), true);
});
