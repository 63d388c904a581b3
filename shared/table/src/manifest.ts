import { isHex64, type NostrEvent, signEvent, tagValue, type UnsignedEvent, verifyEvent } from '@covey/nostr';
import type { TableMember } from './content.ts';

/** Addressable kind of a manifest: the signed head of an epoch; `d` is the cluster's name. Provisional, see README.md. */
export const MANIFEST_KIND = 38421;
/** Addressable kind by which an offline root key certifies a coordinator's key; `d` is that key. */
export const CERTIFICATE_KIND = 38422;

export interface Manifest {
  cluster: string;
  epoch: number;
  /** Event id of the manifest of the epoch before, or null for the first. */
  previous: string | null;
  /** Unix seconds. */
  createdAt: number;
  /** Merkle root (hex) over the table's 4 KiB pages. */
  root: string;
  tableBytes: number;
  /** SHA-256 (hex) over every input of the placement. */
  inputs: string;
  /** Merkle root of the placement that these inputs give, and that the epoch is on its way to; null when it is not said. */
  target: string | null;
  /** Unix seconds until which moves of this epoch may start. Service never stops. */
  movesUntil: number;
  members: { id: string; url: string }[];
  counts: { accounts: number; follows: number; communities: number; groups: number; moved: number };
}

export class InvalidManifestError extends Error {
  override name = 'InvalidManifestError';
}

/** The certificate that lets `coordinator` sign manifests of `cluster` until `expiration` (Unix seconds), by the root key. */
export function signCertificate(
  {
    cluster,
    coordinator,
    root,
    createdAt,
    expiration,
  }: { cluster: string; coordinator: string; root: string; createdAt: number; expiration: number },
  rootSecretKey: string,
): NostrEvent {
  const tags = [
    ['d', coordinator],
    ['cluster', cluster],
    ['expiration', String(expiration)],
  ];
  return signEvent(
    { pubkey: root, created_at: createdAt, kind: CERTIFICATE_KIND, tags, content: '' },
    rootSecretKey,
  );
}

/** The manifest as an event, signed without randomness: the same input gives the same bytes. */
export function signManifest(
  manifest: Omit<Manifest, 'target'> & {
    target?: string | null;
    members: readonly Pick<TableMember, 'id' | 'url'>[];
  },
  coordinator: string,
  secretKey: string,
  certificate: NostrEvent,
): NostrEvent {
  const {
    cluster,
    epoch,
    previous,
    createdAt,
    root,
    tableBytes,
    inputs,
    target,
    movesUntil,
    members,
    counts,
  } = manifest;
  const event: UnsignedEvent = {
    pubkey: coordinator,
    created_at: createdAt,
    kind: MANIFEST_KIND,
    tags: [
      ['d', cluster],
      ['epoch', String(epoch)],
      ...(previous ? [['previous', previous]] : []),
      ['root', root, String(tableBytes)],
      ['inputs', inputs],
      ...(target ? [['target', target]] : []),
      ['moves-until', String(movesUntil)],
      ...members.map(({ id, url }) => ['member', id, url]),
      ['certificate', JSON.stringify(certificate)],
    ],
    content: JSON.stringify({
      accounts: counts.accounts,
      follows: counts.follows,
      communities: counts.communities,
      groups: counts.groups,
      moved: counts.moved,
    }),
  };
  return signEvent(event, secretKey);
}

/**
 * Reads a manifest and checks that a trusted root key stands behind it: its signature, its coordinator's certificate for
 * this cluster, and that the certificate had not expired when the manifest was made.
 * @param trustedRoots root public keys, hex.
 * @throws InvalidManifestError that says which check failed.
 */
export function verifyManifest(
  event: NostrEvent,
  trustedRoots: readonly string[],
  cluster: string,
): Manifest {
  if (event.kind !== MANIFEST_KIND) throw new InvalidManifestError(`kind ${event.kind} is no manifest`);
  const verdict = verifyEvent(event);
  if (verdict !== 'valid') throw new InvalidManifestError(`the manifest has a ${verdict}`);
  if (tagValue(event, 'd') !== cluster)
    throw new InvalidManifestError(`the manifest is for cluster "${tagValue(event, 'd')}", not "${cluster}"`);
  verifyCertificate(event, trustedRoots, cluster);
  return readManifest(event);
}

/** The certificate that `event` carries. @throws InvalidManifestError */
export function verifyCertificate(event: NostrEvent, trustedRoots: readonly string[], cluster: string): void {
  let certificate: NostrEvent;
  try {
    certificate = JSON.parse(tagValue(event, 'certificate') ?? '');
  } catch (cause) {
    throw new InvalidManifestError('the manifest carries no readable certificate', { cause });
  }
  if (!trustedRoots.includes(certificate?.pubkey))
    throw new InvalidManifestError('the certificate is by a root key that is not trusted here');
  if (
    certificate.kind !== CERTIFICATE_KIND ||
    !Array.isArray(certificate.tags) ||
    verifyEvent(certificate) !== 'valid'
  )
    throw new InvalidManifestError('the certificate is not valid');
  if (tagValue(certificate, 'd') !== event.pubkey || tagValue(certificate, 'cluster') !== cluster)
    throw new InvalidManifestError('the certificate is for another coordinator or cluster');
  if (!(event.created_at < Number(tagValue(certificate, 'expiration'))))
    throw new InvalidManifestError('the certificate had expired when the manifest was made');
}

function readManifest(event: NostrEvent): Manifest {
  const rootTag = event.tags.find((tag) => tag[0] === 'root');
  const epoch = Number(tagValue(event, 'epoch'));
  const tableBytes = Number(rootTag?.[2]);
  const inputs = tagValue(event, 'inputs');
  const movesUntil = Number(tagValue(event, 'moves-until'));
  const previous = tagValue(event, 'previous') ?? null;
  const target = tagValue(event, 'target') ?? null;
  if (!Number.isSafeInteger(epoch) || epoch < 1)
    throw new InvalidManifestError('the manifest names no epoch');
  if (
    !isHex64(rootTag?.[1]) ||
    !Number.isSafeInteger(tableBytes) ||
    !isHex64(inputs) ||
    !Number.isSafeInteger(movesUntil)
  )
    throw new InvalidManifestError('the manifest lacks a root, a size, an inputs digest or a time');
  if (previous !== null && !isHex64(previous))
    throw new InvalidManifestError('the previous manifest is no event id');
  if (target !== null && !isHex64(target)) throw new InvalidManifestError('the target is no root');
  let counts: Manifest['counts'];
  try {
    counts = JSON.parse(event.content);
  } catch (cause) {
    throw new InvalidManifestError('the counts are not JSON', { cause });
  }
  const members = event.tags
    .filter((tag) => tag[0] === 'member')
    .map((tag) => ({ id: tag[1] ?? '', url: tag[2] ?? '' }));
  return {
    cluster: tagValue(event, 'd')!,
    epoch,
    previous,
    createdAt: event.created_at,
    root: rootTag[1],
    tableBytes,
    inputs,
    target,
    movesUntil,
    members,
    counts,
  };
}
