import { isHex64, type NostrEvent, signEvent, tagValue, verifyEvent } from '@covey/nostr';
import { InvalidManifestError } from './manifest.ts';

/** Addressable kind by which a root key declares a coordinator's key void; `d` is that key. Provisional, see README.md. */
export const REVOCATION_KIND = 38423;
/** Revocations that are kept and published; the oldest go first, as certificates end as well. */
export const REVOCATIONS_MAX = 64;

export interface Revocation {
  cluster: string;
  /** The key that is void, hex. */
  coordinator: string;
  /** Manifests by it up to this epoch stand; 0: none does. */
  lastEpoch: number;
  createdAt: number;
}

/** @param root the root's public key. */
export function signRevocation(
  { cluster, coordinator, lastEpoch, createdAt }: Revocation,
  root: string,
  rootSecretKey: string,
  reason = '',
): NostrEvent {
  const tags = [
    ['d', coordinator],
    ['cluster', cluster],
    ['last-epoch', String(lastEpoch)],
  ];
  return signEvent(
    { pubkey: root, created_at: createdAt, kind: REVOCATION_KIND, tags, content: reason },
    rootSecretKey,
  );
}

/** @throws InvalidManifestError when no trusted root of this cluster stands behind it. */
export function verifyRevocation(
  event: NostrEvent,
  trustedRoots: readonly string[],
  cluster: string,
): Revocation {
  const coordinator = tagValue(event, 'd');
  const lastEpoch = Number(tagValue(event, 'last-epoch') ?? 0);
  if (event.kind !== REVOCATION_KIND || !isHex64(coordinator))
    throw new InvalidManifestError('that is no revocation');
  if (!trustedRoots.includes(event.pubkey))
    throw new InvalidManifestError('the revocation is by a root key that is not trusted here');
  if (tagValue(event, 'cluster') !== cluster)
    throw new InvalidManifestError('the revocation is for another cluster');
  if (!Number.isSafeInteger(lastEpoch) || lastEpoch < 0)
    throw new InvalidManifestError('the revocation names no epoch');
  if (verifyEvent(event) !== 'valid') throw new InvalidManifestError('the revocation is not signed right');
  return { cluster, coordinator, lastEpoch, createdAt: event.created_at };
}

/** What is revoked, as far as somebody knows. A revocation is never taken back; of two for a key the stricter holds. */
export class Revocations {
  readonly #roots: readonly string[];
  readonly #cluster: string;
  readonly #events = new Map<string, { event: NostrEvent; lastEpoch: number }>();

  constructor(roots: readonly string[], cluster: string) {
    this.#roots = roots;
    this.#cluster = cluster;
  }

  /** @returns whether that is news. @throws InvalidManifestError */
  add(event: NostrEvent): boolean {
    const { coordinator, lastEpoch } = verifyRevocation(event, this.#roots, this.#cluster);
    const known = this.#events.get(coordinator);
    if (known && known.lastEpoch <= lastEpoch) return false;
    this.#events.set(coordinator, { event, lastEpoch });
    if (this.#events.size > REVOCATIONS_MAX) {
      const oldest = [...this.#events].sort(([, a], [, b]) => a.event.created_at - b.event.created_at)[0]!;
      this.#events.delete(oldest[0]);
    }
    return true;
  }

  /** The last epoch of this key that stands; undefined when the key is not revoked. */
  lastEpochOf(coordinator: string): number | undefined {
    return this.#events.get(coordinator)?.lastEpoch;
  }

  /** Whether an epoch that `coordinator` signed is void. */
  isVoid(coordinator: string, epoch: number): boolean {
    const last = this.lastEpochOf(coordinator);
    return last !== undefined && epoch > last;
  }

  get events(): NostrEvent[] {
    return [...this.#events.values()].map(({ event }) => event);
  }
}
