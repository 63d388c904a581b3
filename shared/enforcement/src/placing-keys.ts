import { isHex64, type NostrEvent } from '@covey/nostr';

/**
 * Kinds that live where the account they are meant for lives, and not where their author does: gift wraps, their
 * ephemeral form and remote-signer messages come from throw-away keys, zap receipts from a wallet's server.
 */
export const PLACED_BY_TAGGED: readonly number[] = [1059, 21059, 24133, 9735];
const placedByTagged = new Set(PLACED_BY_TAGGED);

/** Accounts that one event may be placed by; further `p` tags of such an event are passed over. */
export const TAGGED_KEYS_MAX = 8;

export function isPlacedByTagged(kind: number): boolean {
  return placedByTagged.has(kind);
}

/**
 * The pubkeys (hex) whose members hold this event: the author's, or for the kinds of PLACED_BY_TAGGED those of its `p`
 * tags. One of these without a usable `p` tag stays with its author.
 */
export function placingKeys(event: Pick<NostrEvent, 'kind' | 'pubkey' | 'tags'>): string[] {
  if (!isPlacedByTagged(event.kind)) return [event.pubkey];
  const keys = new Set<string>();
  for (const tag of event.tags) {
    if (tag[0] === 'p' && isHex64(tag[1])) keys.add(tag[1]);
    if (keys.size === TAGGED_KEYS_MAX) break;
  }
  return keys.size > 0 ? [...keys] : [event.pubkey];
}
