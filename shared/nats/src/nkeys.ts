import { createUser, fromPublic, fromSeed } from '@nats-io/nkeys';

/** Neither a public nkey of a user nor the seed of one. */
export class InvalidNkeyError extends Error {
  override name = 'InvalidNkeyError';
}

/** A new NATS user's key: the seed (`SU…`) stays with its owner, the public nkey (`U…`) goes to the server. */
export function createNkey(): { seed: string; nkey: string } {
  const pair = createUser();
  return { seed: new TextDecoder().decode(pair.getSeed()), nkey: pair.getPublicKey() };
}

/** The public nkey of a seed, or the public nkey itself, checked. @throws InvalidNkeyError */
export function publicNkey(text: string): string {
  const trimmed = text.trim();
  try {
    const pair = trimmed.startsWith('SU') ? fromSeed(new TextEncoder().encode(trimmed)) : fromPublic(trimmed);
    const nkey = pair.getPublicKey();
    if (nkey.startsWith('U')) return nkey;
  } catch (cause) {
    throw new InvalidNkeyError('that is no nkey of a NATS user (U… or SU…)', { cause });
  }
  throw new InvalidNkeyError('that is an nkey, but not of a user (U… or SU…)');
}
