import assert from 'node:assert/strict';
import { test } from 'node:test';
import { publicKeyOf } from '@covey/nostr';
import { checkSuccessor, Revocations, signCertificate, signManifest, signRevocation } from './index.ts';

const ROOT_KEY = '11'.repeat(32);
const root = publicKeyOf(ROOT_KEY);
const cluster = 'birds';
const [OLD, NEW] = ['22'.repeat(32), '44'.repeat(32)];

function manifestOf(epoch: number, previous: string | null, key: string) {
  const coordinator = publicKeyOf(key);
  const manifest = {
    cluster,
    epoch,
    previous,
    createdAt: 1000,
    root: 'cd'.repeat(32),
    tableBytes: 1,
    inputs: 'ef'.repeat(32),
    movesUntil: 3000,
    members: [],
    counts: { accounts: 0, follows: 0, communities: 0, groups: 0, moved: 0 },
  };
  const certificate = signCertificate(
    { cluster, coordinator, root, createdAt: 1, expiration: 1e6 },
    ROOT_KEY,
  );
  return signManifest(manifest, coordinator, key, certificate);
}

const trust = (...revoked: ReturnType<typeof signRevocation>[]) => {
  const revocations = new Revocations([root], cluster);
  for (const event of revoked) revocations.add(event);
  return { roots: [root], cluster, revocations };
};
const applied = (event: ReturnType<typeof manifestOf>) => ({
  event,
  manifest: checkSuccessor(event, undefined, trust()),
});
const revoke = (lastEpoch: number) =>
  signRevocation({ cluster, coordinator: publicKeyOf(OLD), lastEpoch, createdAt: 5 }, root, ROOT_KEY);

test('epochs rise, and the next one names the one before', () => {
  const seven = manifestOf(7, null, OLD);
  const current = applied(seven);
  assert.equal(checkSuccessor(manifestOf(8, seven.id, OLD), current, trust()).epoch, 8);
  assert.equal(
    checkSuccessor(manifestOf(8, seven.id, NEW), current, trust()).epoch,
    8,
    'by any certified key',
  );
  assert.equal(
    checkSuccessor(manifestOf(12, 'ab'.repeat(32), OLD), current, trust()).epoch,
    12,
    'after a gap',
  );
  assert.throws(() => checkSuccessor(seven, current, trust()), /not after epoch 7/);
  assert.throws(() => checkSuccessor(manifestOf(6, null, OLD), current, trust()), /not after epoch 7/);
  assert.throws(() => checkSuccessor(manifestOf(8, 'ab'.repeat(32), OLD), current, trust()), /forked/);
});

test('a stolen key that ran the epochs up is undone by the root, and the new key goes on from the last good one', () => {
  const good = manifestOf(7, null, OLD);
  const forged = applied(manifestOf(4_000_000_000, null, OLD));
  const next = manifestOf(8, good.id, NEW);
  assert.throws(() => checkSuccessor(next, forged, trust()), /not after epoch 4000000000/);
  const after = trust(revoke(7));
  assert.equal(checkSuccessor(next, forged, after).epoch, 8);
  assert.throws(() => checkSuccessor(manifestOf(7, null, NEW), forged, after), /not after epoch 7/);
  assert.throws(() => checkSuccessor(manifestOf(9, next.id, OLD), applied(next), after), /revoked/);
  assert.equal(checkSuccessor(good, undefined, after).epoch, 7, 'what it signed before stands');
});
