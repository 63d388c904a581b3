import { createHash } from 'node:crypto';
import { isAddressable, isHex64, isReplaceable, type NostrEvent, tagValue } from '@covey/nostr';

/** `kind:pubkey:d` of a replaceable or addressable event; undefined for every other. */
export function addressOf(event: Pick<NostrEvent, 'kind' | 'pubkey' | 'tags'>): string | undefined {
  if (isReplaceable(event.kind)) return `${event.kind}:${event.pubkey}:`;
  if (isAddressable(event.kind)) return `${event.kind}:${event.pubkey}:${tagValue(event, 'd') ?? ''}`;
  return undefined;
}

/** The first 48 bits of an id: orders ids within a second. */
export function headOf(id: string): number {
  return Number.parseInt(id.slice(0, 12), 16);
}

const RAW_BYTES_MAX = 48;

/**
 * A tag's letter and value as a short key without collisions: the letter, a byte for the form, then the 32 bytes that
 * 64 hex digits stand for, or the UTF-8 of a short value, or the SHA-256 of a long one.
 */
export function tagKey(letter: string, value: string): Uint8Array {
  if (isHex64(value)) return Buffer.concat([Buffer.from(`${letter}h`), Buffer.from(value, 'hex')]);
  const raw = Buffer.from(`${letter}r${value}`);
  if (raw.length <= RAW_BYTES_MAX) return raw;
  return Buffer.concat([Buffer.from(`${letter}s`), createHash('sha256').update(value).digest()]);
}

/** The keys under which an event is found by tag: single letters, first values, each once. */
export function tagKeys(event: Pick<NostrEvent, 'tags'>): Uint8Array[] {
  const seen = new Set<string>();
  const keys: Uint8Array[] = [];
  for (const [name, value] of event.tags) {
    if (value === undefined || name?.length !== 1 || !/[A-Za-z]/.test(name)) continue;
    const text = name + value;
    if (seen.has(text)) continue;
    seen.add(text);
    keys.push(tagKey(name, value));
  }
  return keys;
}

/** Unix seconds at which an event expires (NIP-40), or undefined when it does not. */
export function expirationOf(event: Pick<NostrEvent, 'tags'>): number | undefined {
  const text = tagValue(event, 'expiration');
  const seconds = text && /^\d{1,15}$/.test(text) ? Number(text) : undefined;
  return seconds;
}
