import type { NostrEvent } from '@covey/nostr';
import { InvalidManifestError, type Manifest, verifyManifest } from './manifest.ts';
import type { Revocations } from './revocation.ts';

/** The epoch that somebody applies: its manifest, and the event that carries it. */
export interface AppliedEpoch {
  manifest: Manifest;
  event: Pick<NostrEvent, 'id' | 'pubkey'>;
}

/**
 * Whether a manifest may follow the epoch that is applied: signed by a coordinator that a trusted root certifies and has
 * not revoked, of a higher epoch, and, when it is the next one, naming the applied one as its previous. An applied epoch
 * that a revocation made void counts as the last one of its key that stands. Pure.
 * @param current undefined when nothing is applied yet.
 * @throws InvalidManifestError that says which check failed.
 */
export function checkSuccessor(
  event: NostrEvent,
  current: AppliedEpoch | undefined,
  { roots, cluster, revocations }: { roots: readonly string[]; cluster: string; revocations: Revocations },
): Manifest {
  const manifest = verifyManifest(event, roots, cluster);
  if (revocations.isVoid(event.pubkey, manifest.epoch))
    throw new InvalidManifestError('the manifest is signed by a key that the root has revoked');
  if (!current) return manifest;
  const { epoch } = current.manifest;
  const isVoid = revocations.isVoid(current.event.pubkey, epoch);
  const floor = isVoid ? revocations.lastEpochOf(current.event.pubkey)! : epoch;
  if (manifest.epoch <= floor)
    throw new InvalidManifestError(
      `epoch ${manifest.epoch} is not after epoch ${floor}, which is applied here`,
    );
  if (!isVoid && manifest.epoch === epoch + 1 && manifest.previous !== current.event.id)
    throw new InvalidManifestError(
      `epoch ${manifest.epoch} follows another epoch ${epoch} than the one applied here: the chain forked`,
    );
  return manifest;
}
