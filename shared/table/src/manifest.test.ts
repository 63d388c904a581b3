import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { publicKeyOf, signEvent } from '@covey/nostr';
import {
  InvalidManifestError,
  type Manifest,
  signCertificate,
  signManifest,
  verifyManifest,
} from './index.ts';

const ROOT_KEY = '11'.repeat(32);
const KEY = '22'.repeat(32);
const THIEF = '33'.repeat(32);
const root = publicKeyOf(ROOT_KEY);
const coordinator = publicKeyOf(KEY);
const certificate = signCertificate(
  { cluster: 'test', coordinator, root, createdAt: 1000, expiration: 9000 },
  ROOT_KEY,
);
const manifest: Manifest = {
  cluster: 'test',
  epoch: 7,
  previous: 'ab'.repeat(32),
  createdAt: 2000,
  root: 'cd'.repeat(32),
  tableBytes: 4242,
  inputs: 'ef'.repeat(32),
  target: 'aa'.repeat(32),
  movesUntil: 3000,
  members: [{ id: coordinator, url: 'wss://relay.example' }],
  counts: { accounts: 3, follows: 2, communities: 1, groups: 1, moved: 0 },
};
const signed = signManifest(manifest, coordinator, KEY, certificate);

describe('manifest', () => {
  test('survives the round trip, and is the same bytes each time', () => {
    assert.deepEqual(verifyManifest(signed, [root], 'test'), manifest);
    assert.deepEqual(signManifest(manifest, coordinator, KEY, certificate), signed);
    const first = signManifest({ ...manifest, epoch: 1, previous: null }, coordinator, KEY, certificate);
    assert.equal(verifyManifest(first, [root], 'test').previous, null);
  });

  const refused = (what: string, event: typeof signed, pattern: RegExp, roots = [root], cluster = 'test') =>
    test(`is refused: ${what}`, () => {
      assert.throws(
        () => verifyManifest(event, roots, cluster),
        (error: Error) => {
          assert.ok(error instanceof InvalidManifestError);
          assert.match(error.message, pattern);
          return true;
        },
      );
    });

  refused('another cluster', signed, /not "other"/, [root], 'other');
  refused('a root that is not trusted', signed, /not trusted/, [publicKeyOf(THIEF)]);
  refused('content changed after signing', { ...signed, content: '{}' }, /wrong id/);
  refused(
    'a signature that does not fit',
    { ...signed, sig: `${signed.sig.slice(0, -2)}00` },
    /wrong signature/,
  );
  refused(
    'a coordinator without a certificate of its own',
    signManifest(manifest, publicKeyOf(THIEF), THIEF, certificate),
    /another coordinator/,
  );
  refused(
    'a certificate that the coordinator made itself',
    signManifest(
      manifest,
      coordinator,
      KEY,
      signCertificate(
        { cluster: 'test', coordinator, root: coordinator, createdAt: 1, expiration: 9000 },
        KEY,
      ),
    ),
    /not trusted/,
  );
  refused(
    'an expired certificate',
    signManifest({ ...manifest, createdAt: 9000 }, coordinator, KEY, certificate),
    /expired/,
  );
  refused('another kind', signEvent({ ...signed, kind: 1 }, KEY), /no manifest/);
});
