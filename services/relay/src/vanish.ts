import { KIND, type NostrEvent, normalizeRelayUrl } from '@covey/nostr';

/** Whether an event is a request to vanish (NIP-62) that this relay must follow: it names all relays, or this one. */
export function vanishesHere(event: NostrEvent, relayUrl: string): boolean {
  if (event.kind !== KIND.vanish) return false;
  return event.tags.some(
    ([name, value]) =>
      name === 'relay' && value !== undefined && (value === 'ALL_RELAYS' || isSame(value, relayUrl)),
  );
}

/** A request without a relay names nobody who should follow it. */
export function namesNoRelay(event: NostrEvent): boolean {
  return event.kind === KIND.vanish && !event.tags.some(([name, value]) => name === 'relay' && value);
}

function isSame(tag: string, relayUrl: string): boolean {
  try {
    const [a, b] = [new URL(normalizeRelayUrl(tag)), new URL(normalizeRelayUrl(relayUrl))];
    return a.host === b.host && a.pathname === b.pathname;
  } catch {
    return false; // not a URL
  }
}
