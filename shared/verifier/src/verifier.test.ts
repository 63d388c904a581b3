import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { publicKeyOf, SCHNORR_VERIFIER, type SchnorrVerifier, signEvent } from '@covey/nostr';
import fc from 'fast-check';
import { BIP340_VECTORS } from './bip-340-vectors.ts';
import { findVerifiers, pickVerifier } from './find-verifiers.ts';
import { selfTest } from './self-test.ts';

const bytes = (hex: string) => Buffer.from(hex, 'hex');
const N = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n;
const P = 2n ** 256n - 2n ** 32n - 977n;
const library = process.env['COVEY_SECP256K1_LIBRARY'];

it('the vectors are those of BIP-340', () => {
  const csv = readFileSync(new URL('../../../test/vectors/bip-340.csv', import.meta.url), 'utf8');
  const rows = csv.trim().split('\n').slice(1);
  assert.deepEqual(
    BIP340_VECTORS,
    rows.map((row) => {
      const [, , key, , message, signature, result] = row.split(',');
      return [key!.toLowerCase(), message!.toLowerCase(), signature!.toLowerCase(), result === 'TRUE'];
    }),
  );
});

for (const { name, verifier, reason } of findVerifiers(library))
  describe(name, { skip: verifier ? false : `${name} is not here: ${reason}` }, () => {
    const { verify } = verifier ?? SCHNORR_VERIFIER;

    it('says of good and of altered signatures what tiny-secp256k1 says', () => {
      const number = fc.bigInt({ min: 1n, max: N - 1n }).map((n) => n.toString(16).padStart(64, '0'));
      const word = fc.oneof(
        number,
        fc
          .constantFrom(0n, 1n, N - 1n, N, P - 1n, P, 2n ** 256n - 1n)
          .map((n) => n.toString(16).padStart(64, '0')),
      );
      let valid = 0;
      fc.assert(
        fc.property(
          number,
          fc.string(),
          fc.constantFrom('as it is', 'R', 's', 'key', 'message', 'bit', 'all'),
          fc.tuple(word, word, word, word),
          fc.nat(511),
          (secret, content, change, [a, b, c, d], bit) => {
            const pubkey = publicKeyOf(secret);
            const { id, sig } = signEvent({ pubkey, created_at: 1, kind: 1, tags: [], content }, secret);
            let [key, message, signature] = [pubkey, id, sig];
            if (change === 'R') signature = a + sig.slice(64);
            if (change === 's') signature = sig.slice(0, 64) + b;
            if (change === 'key') key = c;
            if (change === 'message') message = d;
            if (change === 'all') [key, message, signature] = [a, b, c + d];
            const bits = bytes(signature);
            if (change === 'bit') bits[bit >> 3]! ^= 1 << (bit & 7);
            const want = SCHNORR_VERIFIER.verify(bytes(message), bytes(key), bits);
            assert.equal(verify(bytes(message), bytes(key), bits), want);
            if (change === 'as it is') assert.ok(want);
            if (want) valid++;
          },
        ),
        { numRuns: 500, seed: 340 },
      );
      assert.ok(valid > 50, `${valid} valid ones`);
    });

    it('leaves what it was given as it was, and its last verdict has no part in the next', () => {
      const good = signEvent(
        { pubkey: publicKeyOf('01'.repeat(32)), created_at: 1, kind: 1, tags: [], content: '' },
        '01'.repeat(32),
      );
      const given = [good.id, good.pubkey, good.sig].map(bytes) as [Buffer, Buffer, Buffer];
      const digest = () => createHash('sha256').update(Buffer.concat(given)).digest('hex');
      const before = digest();
      for (let i = 0; i < 3; i++) {
        assert.equal(verify(...given), true);
        assert.equal(verify(bytes(good.id), bytes(good.pubkey), bytes(good.id + good.id)), false);
        assert.equal(verify(bytes(good.id), bytes('ff'.repeat(32)), bytes(good.sig)), false);
      }
      assert.equal(digest(), before);
    });
  });

describe('the choice', () => {
  it('passes over a verifier that is wrong once', () => {
    const yes: SchnorrVerifier = { name: 'yes', verify: () => true };
    const no: SchnorrVerifier = { name: 'no', verify: () => false };
    const off: SchnorrVerifier = {
      name: 'off',
      verify: (...given) => SCHNORR_VERIFIER.verify(...given) !== (given[2][0] === 0x4a),
    };
    for (const wrong of [yes, no, off]) assert.throws(() => selfTest(wrong), /is wrong about vector/);
    selfTest(SCHNORR_VERIFIER);
  });

  it('is the fastest that is there, or the one asked for, and says what it passed over', () => {
    const here = findVerifiers(library).filter(({ verifier }) => verifier);
    const { verifier, passedOver } = pickVerifier(library ? { library } : {});
    assert.equal(verifier.name, here[0]!.name);
    assert.ok(passedOver.every(({ reason }) => reason.length > 0));
    assert.equal(pickVerifier({ wanted: 'tiny-secp256k1' }).verifier.name, 'tiny-secp256k1');
    const none = pickVerifier({ wanted: 'libsecp256k1', library: '/nonexistent/libsecp256k1.so' });
    assert.equal(none.passedOver[0]!.name, 'libsecp256k1');
    assert.match(none.passedOver[0]!.reason, /nonexistent|koffi/);
  });
});
