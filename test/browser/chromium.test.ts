import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findChromium } from './chromium.ts';

const nowhere = () => false;

test('a missing Chromium is a skip, and a failure where it is required', () => {
  assert.equal(findChromium({ PATH: '/bin' }, nowhere), undefined);
  assert.throws(
    () => findChromium({ PATH: '/bin', COVEY_REQUIRE: 'chromium,redis' }, nowhere),
    /COVEY_REQUIRE asks for chromium/,
  );
  assert.throws(() => findChromium({ CHROMIUM_PATH: '/none' }, nowhere), /CHROMIUM_PATH is \/none/);
});

test('it is found by CHROMIUM_PATH, then on the PATH', () => {
  assert.equal(
    findChromium({ CHROMIUM_PATH: '/x/chrome' }, () => true),
    '/x/chrome',
  );
  assert.equal(
    findChromium({ PATH: '/a:/b' }, (path) => path === '/b/chromium'),
    '/b/chromium',
  );
});
