import {
  KIND,
  type NostrEvent,
  normalizeRelayUrl,
  parseEvent,
  signEvent,
  tagValue,
  verifyEvent,
} from '@covey/nostr';

/** How far an AUTH event's created_at may lie from now. */
const AUTH_SECONDS_MAX = 600;
/** The same for members: one whose clock is wrong must still reach the others. The challenge is what keeps it fresh. */
const MEMBER_AUTH_SECONDS_MAX = 7200;

/** Why an AUTH does not count, as the text of its OK. */
export class RefusedAuthError extends Error {
  override name = 'RefusedAuthError';
}

/**
 * Who proves by `value` (NIP-42) that it holds its key: the pubkey.
 * The relay tag must name this relay whole, with its port: members on one host must not be able to pass on each other's
 * challenges.
 * @param now Unix seconds
 * @param isMember whether a pubkey is another member's
 * @throws RefusedAuthError
 */
export function checkAuth(
  value: unknown,
  challenge: string,
  relayUrl: string,
  now: number,
  isMember: (pubkey: string) => boolean,
): NostrEvent {
  let event: NostrEvent;
  try {
    event = parseEvent(value);
  } catch (cause) {
    throw new RefusedAuthError(`invalid: ${(cause as Error).message}`, { cause });
  }
  const reason = whyNot(
    event,
    challenge,
    relayUrl,
    now,
    isMember(event.pubkey) ? MEMBER_AUTH_SECONDS_MAX : AUTH_SECONDS_MAX,
  );
  if (reason) throw new RefusedAuthError(`invalid: ${reason}`);
  return event;
}

function whyNot(
  event: NostrEvent,
  challenge: string,
  relayUrl: string,
  now: number,
  secondsMax: number,
): string | undefined {
  if (event.kind !== KIND.auth) return 'an AUTH event has kind 22242';
  if (Math.abs(event.created_at - now) > secondsMax) return 'created_at is too far from now';
  if (tagValue(event, 'challenge') !== challenge) return 'the challenge is not the one that was sent';
  if (!sameRelay(tagValue(event, 'relay'), relayUrl)) return `the relay tag must name ${relayUrl}`;
  const verdict = verifyEvent(event);
  return verdict === 'valid' ? undefined : verdict;
}

function sameRelay(tag: string | undefined, relayUrl: string): boolean {
  try {
    return tag !== undefined && new URL(normalizeRelayUrl(tag)).host === new URL(relayUrl).host;
  } catch {
    return false;
  }
}

/** The AUTH event that proves a member to another member. @param now Unix seconds */
export function signAuth(
  { pubkey, secretKey }: { pubkey: string; secretKey: string },
  challenge: string,
  relayUrl: string,
  now: number,
): NostrEvent {
  const tags = [
    ['relay', relayUrl],
    ['challenge', challenge],
  ];
  return signEvent({ pubkey, created_at: now, kind: KIND.auth, tags, content: '' }, secretKey);
}
