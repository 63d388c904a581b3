import { bytesToHex, hexToBytes } from '@noble/hashes/utils';
import * as secp256k1 from 'tiny-secp256k1';
import { eventId, type NostrEvent, type UnsignedEvent } from './event.ts';

const NO_AUXILIARY = new Uint8Array(32);

/** The x-only public key (hex) of a 32-byte secret key (hex). @throws RangeError when the scalar is not valid. */
export function publicKeyOf(secretKey: string): string {
  const bytes = hexToBytes(secretKey);
  if (bytes.length !== 32 || !secp256k1.isPrivate(bytes))
    throw new RangeError('not a valid secp256k1 secret key');
  return bytesToHex(secp256k1.xOnlyPointFromScalar(bytes));
}

/**
 * The event with its id and its BIP-340 signature. The auxiliary randomness is 32 zero bytes unless given, so that the
 * same event and key give the same bytes (BIP-340 allows it; the nonce still depends on key and message).
 */
export function signEvent(event: UnsignedEvent, secretKey: string, auxiliary = NO_AUXILIARY): NostrEvent {
  const { pubkey, created_at, kind, tags, content } = event;
  const id = eventId(event);
  const sig = bytesToHex(secp256k1.signSchnorr(hexToBytes(id), hexToBytes(secretKey), auxiliary));
  return { id, pubkey, created_at, kind, tags, content, sig };
}

/** What checks BIP-340 signatures. `@covey/verifier` finds the fastest that a machine has. */
export interface SchnorrVerifier {
  readonly name: string;
  /** False also for a key that is no point on the curve and for numbers out of range. Never throws. */
  verify(message: Uint8Array, publicKey: Uint8Array, signature: Uint8Array): boolean;
}

/** libsecp256k1 as WebAssembly: about 5,000 signatures a second on one core, and always there. */
export const SCHNORR_VERIFIER: SchnorrVerifier = {
  name: 'tiny-secp256k1',
  verify(message, publicKey, signature) {
    try {
      return secp256k1.verifySchnorr(message, publicKey, signature);
    } catch {
      return false; // it throws where the numbers can't be a key or a signature
    }
  },
};

export type Verdict = 'valid' | 'wrong id' | 'wrong signature';

/** Checks id, then signature, of an event whose shape `parseEvent` has checked. Never throws. */
export function verifyEvent(event: NostrEvent, verifier: SchnorrVerifier = SCHNORR_VERIFIER): Verdict {
  if (eventId(event) !== event.id) return 'wrong id';
  const valid = verifier.verify(hexToBytes(event.id), hexToBytes(event.pubkey), hexToBytes(event.sig));
  return valid ? 'valid' : 'wrong signature';
}
