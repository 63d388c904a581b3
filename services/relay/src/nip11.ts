import { KIND } from '@covey/nostr';
import type { ClusterField } from '@covey/protocol';
import type { Limits } from './limits.ts';
import { SOFTWARE, VERSION } from './software.ts';

/** Only what is true of this relay. */
const SUPPORTED_NIPS = [1, 2, 9, 11, 40, 42, 45, 50, 62, 65, 67, 70, 77];
const PROOF_OF_WORK = 13;
/** Private messages: gift wraps are served to whom they are for. */
const GIFT_WRAPS = [17, 59];

/** What an operator says of the relay and of themselves, in NIP-11's words; what is not given is left out. */
export interface OperatorWords {
  description?: string;
  /** Public key (hex) of who answers for it. */
  pubkey?: string;
  /** `mailto:` or `https:`. */
  contact?: string;
  icon?: string;
  banner?: string;
  terms_of_service?: string;
}

/** The relay information document (NIP-11). */
export function relayInformation({
  name,
  self,
  limits,
  powBitsMin,
  authKinds,
  covey,
  restrictedWrites,
  words,
}: {
  name: string;
  self: string;
  limits: Limits;
  powBitsMin: number;
  authKinds: readonly number[];
  covey: ClusterField;
  restrictedWrites: boolean;
  words: OperatorWords;
}): object {
  const supported = [...SUPPORTED_NIPS];
  if (powBitsMin > 0) supported.push(PROOF_OF_WORK);
  if (authKinds.includes(KIND.sealedDm)) supported.push(...GIFT_WRAPS);
  return {
    name,
    description:
      'A member of a Covey cluster: co-operating relays that share out accounts, so that a client reads everyone it follows from a few of them.',
    ...words,
    self,
    supported_nips: supported.sort((a, b) => a - b),
    version: `${SOFTWARE}/${VERSION}`,
    limitation: {
      max_message_length: limits.frameBytesMax,
      max_subscriptions: limits.subscriptionsMax,
      max_filters: limits.filtersMax,
      max_limit: limits.limitMax,
      default_limit: limits.limitMax,
      max_subid_length: limits.subscriptionIdCharactersMax,
      max_event_tags: limits.eventTagsMax,
      created_at_upper_limit: limits.createdAtFutureSecondsMax,
      min_pow_difficulty: powBitsMin,
      auth_required: false,
      payment_required: false,
      restricted_writes: restrictedWrites,
    },
    covey,
  };
}
