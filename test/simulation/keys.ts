import { publicKeyOf } from '@covey/nostr';
import { signCertificate } from '@covey/table';

export const CLUSTER_NAME = 'sim';
const ROOT_SECRET = '0a'.repeat(32);
/** The root key that all members trust. */
export const ROOT = publicKeyOf(ROOT_SECRET);

/** Keys of a coordinator, certified by the root; the same in every run. */
function coordinatorKeys(number: number) {
  const secretKey = (0xb0 + number).toString(16).repeat(32);
  const pubkey = publicKeyOf(secretKey);
  const certificate = signCertificate(
    { cluster: CLUSTER_NAME, coordinator: pubkey, root: ROOT, createdAt: 1, expiration: 4e9 },
    ROOT_SECRET,
  );
  return { secretKey, pubkey, certificate };
}
export const COORDINATOR_KEYS = [coordinatorKeys(0), coordinatorKeys(1)] as const;
