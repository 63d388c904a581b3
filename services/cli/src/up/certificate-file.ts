import { existsSync } from 'node:fs';
import { type HomePaths, writeSecretFile } from '@covey/config';
import { type NostrEvent, publicKeyOf, tagValue, verifyEvent } from '@covey/nostr';
import { CERTIFICATE_KIND, signCertificate } from '@covey/table';
import { damaged, readHomeJson } from './damaged.ts';
import { UP_EXIT, UpError } from './up-error.ts';

const VALID_S = 10 * 365 * 86_400;
/** A certificate that ends within this time is replaced. */
const RENEW_S = 90 * 86_400;

/** Signs the certificate that lets the home's coordinator act for its root key. */
export function writeCertificate(
  { certificateFile }: HomePaths,
  {
    rootKey,
    coordinator,
    cluster,
    nowS,
  }: { rootKey: string; coordinator: string; cluster: string; nowS: number },
): void {
  const root = publicKeyOf(rootKey);
  const certificate = signCertificate(
    { cluster, coordinator, root, createdAt: nowS, expiration: nowS + VALID_S },
    rootKey,
  );
  writeSecretFile(certificateFile, `${JSON.stringify(certificate)}\n`);
}

/**
 * Checks the home's certificate; one that is missing or ends soon is signed anew, for the root key is here.
 * @throws UpError when it is damaged, or for another cluster or other keys.
 */
export function checkCertificate(
  paths: HomePaths,
  keys: { rootKey: string; coordinator: string; cluster: string; nowS: number },
): void {
  const { certificateFile, root: home } = paths;
  if (!existsSync(certificateFile)) {
    writeCertificate(paths, keys);
    return;
  }
  const certificate = readHomeJson<NostrEvent | null>(home, certificateFile);
  const fix = `delete ${certificateFile}: the next start signs a new one`;
  if (
    certificate?.kind !== CERTIFICATE_KIND ||
    !Array.isArray(certificate.tags) ||
    verifyEvent(certificate) !== 'valid'
  )
    throw damaged(home, `${certificateFile} is damaged: it is no valid certificate.`, fix);
  const named = tagValue(certificate, 'cluster');
  if (named !== keys.cluster)
    throw new UpError(
      UP_EXIT.usage,
      `${home} holds the cluster "${named}", and COVEY_CLUSTER is "${keys.cluster}".\nNext: set COVEY_CLUSTER=${named}, or give the other cluster a home of its own: COVEY_HOME=.covey-${keys.cluster}`,
    );
  if (certificate.pubkey !== publicKeyOf(keys.rootKey) || tagValue(certificate, 'd') !== keys.coordinator)
    throw damaged(home, `${certificateFile} is for other keys than those beside it.`, fix);
  if (Number(tagValue(certificate, 'expiration')) < keys.nowS + RENEW_S) writeCertificate(paths, keys);
}
