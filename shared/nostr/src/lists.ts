import { isHex64, type NostrEvent } from './event.ts';
import { normalizeRelayUrl } from './relay-url.ts';

/** The accounts that a kind 3 follows: in the list's order, each once, the author left out, malformed tags passed over. */
export function followees(event: Pick<NostrEvent, 'pubkey' | 'tags'>): string[] {
  const seen = new Set<string>();
  for (const tag of event.tags) {
    const key = tag[0] === 'p' ? tag[1]?.toLowerCase() : undefined;
    if (isHex64(key) && key !== event.pubkey) seen.add(key);
  }
  return [...seen];
}

export interface RelayListEntry {
  url: string;
  read: boolean;
  write: boolean;
}

/** The relays that a kind 10002 names (NIP-65), in its order, normal URLs, each once; what is no relay URL is passed over. */
export function relayListEntries(event: Pick<NostrEvent, 'tags'>): RelayListEntry[] {
  const entries = new Map<string, RelayListEntry>();
  for (const [name, text, marker] of event.tags) {
    if (name !== 'r' || !text) continue;
    let url: string;
    try {
      url = normalizeRelayUrl(text);
    } catch {
      continue;
    }
    const entry = entries.get(url) ?? { url, read: false, write: false };
    if (marker !== 'write') entry.read = true;
    if (marker !== 'read') entry.write = true;
    entries.set(url, entry);
  }
  return [...entries.values()];
}
