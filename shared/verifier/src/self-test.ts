import type { SchnorrVerifier } from '@covey/nostr';
import { BIP340_VECTORS } from './bip-340-vectors.ts';

export class SelfTestError extends Error {
  override name = 'SelfTestError';
}

/** Has a verifier judge BIP-340's own vectors. @throws SelfTestError at the first wrong verdict */
export function selfTest(verifier: SchnorrVerifier): void {
  const bytes = (hex: string) => Buffer.from(hex, 'hex');
  BIP340_VECTORS.forEach(([publicKey, message, signature, valid], index) => {
    if (verifier.verify(bytes(message), bytes(publicKey), bytes(signature)) !== valid)
      throw new SelfTestError(`${verifier.name} is wrong about vector ${index} of BIP-340`);
  });
}
