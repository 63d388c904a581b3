import { hash } from 'node:crypto';
import type { SchnorrVerifier, Verdict } from '@covey/nostr';

/** What it takes to check an event: the text that NIP-01 hashes, and id, pubkey and signature in hex. */
export interface SignedText {
  text: string;
  id: string;
  pubkey: string;
  sig: string;
}

/** Verdicts by their number in the workers' answers. */
export const VERDICTS: readonly Verdict[] = ['valid', 'wrong id', 'wrong signature'];

/** Number of the verdict. Never throws. The same on the main thread and in a worker. */
export function checkSignature({ text, id, pubkey, sig }: SignedText, verifier: SchnorrVerifier): number {
  if (hash('sha256', text, 'hex') !== id) return 1;
  const bytes = (hex: string) => Buffer.from(hex, 'hex');
  return verifier.verify(bytes(id), bytes(pubkey), bytes(sig)) ? 0 : 2;
}
