import assert from 'node:assert/strict';
import { test } from 'node:test';
import { publicKeyOf } from '@covey/nostr';
import {
  countSignatures,
  InvalidManifestError,
  Revocations,
  signCertificate,
  signCosignature,
  signRevocation,
  verifyRevocation,
} from './index.ts';

const ROOT_KEY = '11'.repeat(32);
const root = publicKeyOf(ROOT_KEY);
const THIEF = '33'.repeat(32);
const cluster = 'birds';
const keyOf = (n: number) => n.toString(16).padStart(2, '0').repeat(32);
const certify = (coordinator: string) =>
  signCertificate({ cluster, coordinator, root, createdAt: 1, expiration: 1e6 }, ROOT_KEY);

test('a key that the root revokes is void after the epoch that it names, and never valid again', () => {
  const coordinator = publicKeyOf(keyOf(5));
  const revocations = new Revocations([root], cluster);
  const revoke = (lastEpoch: number) =>
    signRevocation({ cluster, coordinator, lastEpoch, createdAt: 9 }, root, ROOT_KEY, 'stolen');
  assert.equal(revocations.isVoid(coordinator, 50), false);
  assert.equal(revocations.add(revoke(41)), true);
  assert.deepEqual([revocations.isVoid(coordinator, 41), revocations.isVoid(coordinator, 42)], [false, true]);
  assert.equal(revocations.add(revoke(60)), false, 'a milder one changes nothing');
  assert.equal(revocations.isVoid(coordinator, 42), true);
  assert.equal(revocations.add(revoke(0)), true, 'a stricter one does');
  assert.equal(revocations.isVoid(coordinator, 1), true);
  assert.equal(revocations.events.length, 1);
});

test('only a trusted root of this cluster revokes', () => {
  const coordinator = publicKeyOf(keyOf(5));
  const base = { cluster, coordinator, lastEpoch: 1, createdAt: 9 };
  const event = signRevocation(base, root, ROOT_KEY);
  assert.deepEqual(verifyRevocation(event, [root], cluster), base);
  for (const bad of [
    signRevocation(base, publicKeyOf(THIEF), THIEF),
    signRevocation({ ...base, cluster: 'bees' }, root, ROOT_KEY),
    { ...event, content: 'changed' },
    { ...event, kind: 1 },
    { ...event, tags: [] },
  ])
    assert.throws(() => verifyRevocation(bad, [root], cluster), InvalidManifestError);
});

test('coordinators over the same root count once each; strangers, other tables and revoked keys do not', () => {
  const signed = { cluster, epoch: 7, root: 'ab'.repeat(32), inputs: 'cd'.repeat(32) };
  const sign = (n: number, change: object = {}, certificate = certify(publicKeyOf(keyOf(n)))) =>
    signCosignature({ ...signed, createdAt: 100, ...change }, publicKeyOf(keyOf(n)), keyOf(n), certificate);
  const signer = publicKeyOf(keyOf(1));
  const count = (events: ReturnType<typeof sign>[], revocations?: Revocations) =>
    countSignatures(signer, signed, events, [root], revocations);
  assert.equal(count([]), 1);
  assert.equal(count([sign(1), sign(2), sign(2), sign(3)]), 3, 'the signer’s own adds nothing');
  assert.equal(count([sign(2, { root: 'ff'.repeat(32) }), sign(3, { inputs: '00'.repeat(32) })]), 1);
  assert.equal(count([sign(2, { epoch: 8 }), sign(3, { cluster: 'bees' })]), 1);
  const forged = signCertificate(
    { cluster, coordinator: publicKeyOf(keyOf(4)), root: publicKeyOf(THIEF), createdAt: 1, expiration: 1e6 },
    THIEF,
  );
  assert.equal(count([sign(4, {}, forged), sign(5, {}, certify(publicKeyOf(keyOf(6))))]), 1);
  assert.equal(count([sign(2, { createdAt: 2e6 })]), 1, 'its certificate had expired');
  const revocations = new Revocations([root], cluster);
  revocations.add(
    signRevocation(
      { cluster, coordinator: publicKeyOf(keyOf(2)), lastEpoch: 0, createdAt: 1 },
      root,
      ROOT_KEY,
    ),
  );
  assert.equal(count([sign(2), sign(3)], revocations), 2);
  assert.deepEqual(sign(2), sign(2), 'the same input gives the same bytes');
});
