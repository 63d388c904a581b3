import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type NostrEvent, publicKeyOf, signEvent, verifyEvent } from '@covey/nostr';
import { VerifyBusyError } from '../verify/verify-pool.ts';
import { VerifiedEvents } from './verified-events.ts';

const SECRET = '03'.repeat(32);
const signed = (content: string): NostrEvent =>
  signEvent({ pubkey: publicKeyOf(SECRET), created_at: 1, kind: 1, tags: [], content }, SECRET);

test('keeps what is signed, in its order, and asks once for what comes back', async () => {
  const asked: string[] = [];
  const verified = new VerifiedEvents(async (event) => {
    asked.push(event.id);
    return verifyEvent(event);
  });
  const good = Array.from({ length: 450 }, (_, i) => signed(String(i)));
  const bad = [{ ...good[0]!, content: 'changed' }, { ...good[1]!, sig: good[2]!.sig }, null, 'text', {}];
  assert.deepEqual(await verified.checkAll([...bad, ...good]), good);
  assert.equal(asked.length, 452);
  assert.deepEqual(await verified.checkAll([...good, ...bad]), good);
  assert.equal(asked.length, 454, 'only the forged ones are looked at again');
});

test('checks by itself where the threads take no more', async () => {
  const verified = new VerifiedEvents(() => Promise.reject(new VerifyBusyError('full')));
  const good = signed('good');
  assert.deepEqual(await verified.check(good), good);
  assert.equal(await verified.check({ ...good, content: 'forged' }), undefined);
});
