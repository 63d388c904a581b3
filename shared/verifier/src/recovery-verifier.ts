import { createHash, hash } from 'node:crypto';
import { createRequire } from 'node:module';
import { SCHNORR_VERIFIER, type SchnorrVerifier } from '@covey/nostr';

/** The part of the secp256k1 package's addon that is used. */
interface Addon {
  /** @returns the 33 bytes of the key, in `output` @throws Error when there is none */
  ecdsaRecover(
    signature: Uint8Array,
    recoveryId: number,
    message: Uint8Array,
    compressed: boolean,
    output: Uint8Array,
  ): Uint8Array;
}

/** Order of the group. */
const N = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n;
const EVEN = 2;

/**
 * BIP-340 by libsecp256k1 compiled ahead (npm's secp256k1 brings it for common systems), whose addon knows ECDSA alone.
 * BIP-340 asks whether R = s·G − e·P has the x of the signature and an even y. Recovery of an ECDSA key computes
 * Q = r⁻¹·(s'·R' − m'·G) with R' the point of even y whose x is r. With r = x(P), s' = −e·r and m' = −s·r that is
 * Q = s·G − e·P, the very point, with its parity. Numbers that recovery can't take (about 2⁻¹²⁸ of them, or no numbers at
 * all) are left to tiny-secp256k1.
 * @throws Error when no addon is there for this system
 */
export function loadRecovery(): SchnorrVerifier {
  const addon = createRequire(import.meta.url)('secp256k1/bindings.js') as Addon;
  const tag = createHash('sha256').update('BIP0340/challenge').digest();
  const challenge = Buffer.concat([tag, tag, Buffer.alloc(96)]);
  const signature = Buffer.alloc(64);
  const point = new Uint8Array(33);
  return {
    name: 'secp256k1',
    verify(message, publicKey, sig) {
      if (message.length !== 32 || publicKey.length !== 32 || sig.length !== 64)
        return SCHNORR_VERIFIER.verify(message, publicKey, sig);
      const s = toNumber(sig.subarray(32));
      if (s >= N) return false;
      challenge.set(sig.subarray(0, 32), 64);
      challenge.set(publicKey, 96);
      challenge.set(message, 128);
      const e = toNumber(hash('sha256', challenge, 'buffer')) % N;
      const r = toNumber(publicKey);
      signature.set(publicKey, 0);
      signature.set(toBytes(((N - e) * r) % N), 32);
      try {
        addon.ecdsaRecover(signature, 0, toBytes(((N - s) * r) % N), true, point);
      } catch {
        return SCHNORR_VERIFIER.verify(message, publicKey, sig);
      }
      return point[0] === EVEN && Buffer.compare(point.subarray(1), sig.subarray(0, 32)) === 0;
    },
  };
}

function toNumber(bytes: Uint8Array): bigint {
  return BigInt(`0x${Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('hex')}`);
}

function toBytes(number: bigint): Buffer {
  return Buffer.from(number.toString(16).padStart(64, '0'), 'hex');
}
