import { SCHNORR_VERIFIER, type SchnorrVerifier } from '@covey/nostr';
import { loadLibrary } from './library-verifier.ts';
import { loadRecovery } from './recovery-verifier.ts';
import { selfTest } from './self-test.ts';

/** Fastest first; about 24,000, 16,000 and 5,000 signatures a second on one core of 2020. */
export const VERIFIERS = ['libsecp256k1', 'secp256k1', 'tiny-secp256k1'] as const;
export type VerifierName = (typeof VERIFIERS)[number];

export interface FoundVerifier {
  name: VerifierName;
  /** Absent when it can't be used. */
  verifier: SchnorrVerifier | undefined;
  /** Why it can't be used. */
  reason: string | undefined;
}

const LOADERS: Record<VerifierName, (library: string | undefined) => SchnorrVerifier> = {
  libsecp256k1: loadLibrary,
  secp256k1: loadRecovery,
  'tiny-secp256k1': () => SCHNORR_VERIFIER,
};

/**
 * A verifier, usable only after it judged every vector of BIP-340 rightly.
 * @param library path or name of a libsecp256k1 to load; the system's when not given
 */
function findVerifier(name: VerifierName, library: string | undefined): FoundVerifier {
  try {
    const verifier = LOADERS[name](library);
    selfTest(verifier);
    return { name, verifier, reason: undefined };
  } catch (error) {
    return { name, verifier: undefined, reason: (error as Error).message.split('\n')[0]! };
  }
}

/** All verifiers, fastest first. */
export function findVerifiers(library?: string): FoundVerifier[] {
  return VERIFIERS.map((name) => findVerifier(name, library));
}

export interface Pick {
  verifier: SchnorrVerifier;
  /** Faster ones that can't be used here, or the one asked for, and why. */
  passedOver: { name: VerifierName; reason: string }[];
}

/** The fastest verifier that may be used, or `wanted` when it may. tiny-secp256k1 comes with Covey and is always there. */
export function pickVerifier({ wanted, library }: { wanted?: VerifierName; library?: string } = {}): Pick {
  const passedOver: Pick['passedOver'] = [];
  const start = wanted === undefined ? 0 : VERIFIERS.indexOf(wanted);
  // One after the other: a process does not wait for those that it will not use.
  for (const name of VERIFIERS.slice(start)) {
    const { verifier, reason } = findVerifier(name, library);
    if (verifier) return { verifier, passedOver };
    passedOver.push({ name, reason: reason! });
  }
  return { verifier: SCHNORR_VERIFIER, passedOver };
}
