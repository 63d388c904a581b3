import { type NostrEvent, signEvent, tagValue, verifyEvent } from '@covey/nostr';
import { InvalidManifestError, verifyCertificate } from './manifest.ts';
import type { Revocations } from './revocation.ts';

/** Addressable kind of another coordinator's signature over an epoch; `d` is `cluster:epoch`. Provisional, see README.md. */
export const COSIGNATURE_KIND = 38424;
/** Signatures of an epoch that are published and looked at. */
export const COSIGNATURES_MAX = 32;

/** What is signed: that this coordinator computed the same table from the same inputs. */
export interface SignedEpoch {
  cluster: string;
  epoch: number;
  root: string;
  inputs: string;
  createdAt: number;
}

/** The same input gives the same bytes. */
export function signCosignature(
  { cluster, epoch, root, inputs, createdAt }: SignedEpoch,
  coordinator: string,
  secretKey: string,
  certificate: NostrEvent,
): NostrEvent {
  const tags = [
    ['d', `${cluster}:${epoch}`],
    ['root', root],
    ['inputs', inputs],
    ['certificate', JSON.stringify(certificate)],
  ];
  return signEvent(
    { pubkey: coordinator, created_at: createdAt, kind: COSIGNATURE_KIND, tags, content: '' },
    secretKey,
  );
}

/** @throws InvalidManifestError when it is not over exactly this epoch, or no trusted root stands behind its key. */
export function verifyCosignature(
  event: NostrEvent,
  { cluster, epoch, root, inputs }: Omit<SignedEpoch, 'createdAt'>,
  trustedRoots: readonly string[],
): void {
  if (event.kind !== COSIGNATURE_KIND) throw new InvalidManifestError('that is no signature over an epoch');
  if (tagValue(event, 'd') !== `${cluster}:${epoch}`)
    throw new InvalidManifestError('the signature is over another epoch');
  if (tagValue(event, 'root') !== root || tagValue(event, 'inputs') !== inputs)
    throw new InvalidManifestError('the signature is over another table');
  if (verifyEvent(event) !== 'valid') throw new InvalidManifestError('the signature is not right');
  verifyCertificate(event, trustedRoots, cluster);
}

/**
 * How many coordinators stand behind a manifest: who signed it, and whoever else signed the same root and inputs. Keys
 * count once; what does not verify, and what is by a revoked key, does not count.
 */
export function countSignatures(
  signer: string,
  signed: Omit<SignedEpoch, 'createdAt'>,
  cosignatures: readonly NostrEvent[],
  trustedRoots: readonly string[],
  revocations?: Revocations,
): number {
  const keys = new Set([signer]);
  for (const event of cosignatures.slice(0, COSIGNATURES_MAX)) {
    if (keys.has(event.pubkey) || revocations?.isVoid(event.pubkey, signed.epoch)) continue;
    try {
      verifyCosignature(event, signed, trustedRoots);
      keys.add(event.pubkey);
    } catch (error) {
      if (!(error instanceof InvalidManifestError)) throw error;
    }
  }
  return keys.size;
}
