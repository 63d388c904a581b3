import { isHex64, isReplaceable, KIND, type NostrEvent } from '@covey/nostr';
import { isPlacedByTagged } from './placing-keys.ts';

/** Accounts that one event is delivered to; those tagged after them are passed over, counted and said. */
export const DELIVERED_ACCOUNTS_MAX = 20;
/** Hashtags whose members one event is delivered to. */
export const DELIVERED_HASHTAGS_MAX = 8;

/** NIP-51's sets and packs: `p` and `t` tags there list, and speak to nobody. */
const SETS: ReadonlySet<number> = new Set([
  30000, 30002, 30003, 30004, 30005, 30006, 30007, 30015, 30030, 30063, 30267, 39089, 39092,
]);

/**
 * Whether events of this kind are also delivered to whom and what they tag. Lists (replaceable kinds and sets) are not:
 * hundreds of tags speak to nobody. Kinds that live with those tagged are there anyway; a deletion follows what it deletes.
 */
export function isDelivered(kind: number): boolean {
  return !isReplaceable(kind) && !isPlacedByTagged(kind) && !SETS.has(kind) && kind !== KIND.deletion;
}

export interface DeliveryKeys {
  /** Public keys: of `p` tags, and the authors named in `e` and `q` tags. Never the event's own author. */
  accounts: string[];
  /** In lower case. */
  hashtags: string[];
  /** Accounts and hashtags over the bounds. */
  excess: number;
}

/** Whose members get this event besides those that hold it. */
export function deliveryKeys(event: Pick<NostrEvent, 'kind' | 'pubkey' | 'tags'>): DeliveryKeys {
  const accounts = new Set<string>();
  const hashtags = new Set<string>();
  let excess = 0;
  if (isDelivered(event.kind))
    for (const tag of event.tags) {
      const [name, value] = tag;
      if (name === 't') {
        if (!value) continue;
        const hashtag = value.toLowerCase();
        if (hashtags.has(hashtag)) continue;
        if (hashtags.size < DELIVERED_HASHTAGS_MAX) hashtags.add(hashtag);
        else excess++;
        continue;
      }
      const account = name === 'p' ? value : name === 'e' ? tag[4] : name === 'q' ? tag[3] : undefined;
      if (account === undefined || account === event.pubkey || accounts.has(account) || !isHex64(account))
        continue;
      if (accounts.size < DELIVERED_ACCOUNTS_MAX) accounts.add(account);
      else excess++;
    }
  return { accounts: [...accounts], hashtags: [...hashtags], excess };
}
