import { sha256 } from '@noble/hashes/sha2';
import { bytesToHex } from '@noble/hashes/utils';

/** A Nostr event as NIP-01 defines it: 32-byte values as lower-case hex, `created_at` in Unix seconds. */
export interface NostrEvent {
  id: string;
  pubkey: string;
  created_at: number;
  kind: number;
  tags: string[][];
  content: string;
  sig: string;
}

/** What is signed: an event without `id` and `sig`. */
export type UnsignedEvent = Omit<NostrEvent, 'id' | 'sig'>;

/** Kinds that Covey gives a meaning of its own. */
export const KIND = {
  metadata: 0,
  follows: 3,
  deletion: 5,
  vanish: 62,
  sealedDm: 1059,
  relayList: 10002,
  auth: 22242,
  nostrConnect: 24133,
  zapReceipt: 9735,
} as const;

export class InvalidEventError extends Error {
  override name = 'InvalidEventError';
}

const utf8 = new TextEncoder();
const HEX_64 = /^[0-9a-f]{64}$/;
const HEX_128 = /^[0-9a-f]{128}$/;

export function isHex64(value: unknown): value is string {
  return typeof value === 'string' && HEX_64.test(value);
}

/** The bytes that NIP-01 hashes. `JSON.stringify` escapes exactly the characters that NIP-01 names. */
export function serializeEvent(event: UnsignedEvent): string {
  return JSON.stringify([0, event.pubkey, event.created_at, event.kind, event.tags, event.content]);
}

/** SHA-256 of the serialized event as hex. Strings with lone surrogates have no UTF-8 form: `parseEvent` refuses them. */
export function eventId(event: UnsignedEvent): string {
  return bytesToHex(sha256(utf8.encode(serializeEvent(event))));
}

/**
 * The event in `value` when it has the shape of NIP-01, with fields in a fixed order and nothing else.
 * @throws InvalidEventError naming the first field that is wrong. Neither id nor signature is checked here.
 */
export function parseEvent(value: unknown): NostrEvent {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new InvalidEventError('an event is a JSON object');
  const e = value as Record<string, unknown>;
  if (!isHex64(e['id'])) throw new InvalidEventError('id is not 64 lower-case hex digits');
  if (!isHex64(e['pubkey'])) throw new InvalidEventError('pubkey is not 64 lower-case hex digits');
  if (typeof e['sig'] !== 'string' || !HEX_128.test(e['sig']))
    throw new InvalidEventError('sig is not 128 lower-case hex digits');
  const { created_at, kind, content, tags } = e;
  if (typeof created_at !== 'number' || !Number.isSafeInteger(created_at) || created_at < 0)
    throw new InvalidEventError('created_at is not a whole number of seconds');
  if (typeof kind !== 'number' || !Number.isInteger(kind) || kind < 0 || kind > 65535)
    throw new InvalidEventError('kind is not a whole number from 0 to 65535');
  if (typeof content !== 'string' || !content.isWellFormed())
    throw new InvalidEventError('content is not a string of Unicode');
  if (!Array.isArray(tags)) throw new InvalidEventError('tags is not a list');
  for (const tag of tags) {
    if (!Array.isArray(tag)) throw new InvalidEventError('a tag is not a list');
    for (const item of tag)
      if (typeof item !== 'string' || !item.isWellFormed())
        throw new InvalidEventError('a tag holds something that is not a string of Unicode');
  }
  return {
    id: e['id'],
    pubkey: e['pubkey'],
    created_at,
    kind,
    tags: tags as string[][],
    content,
    sig: e['sig'],
  };
}

export function isReplaceable(kind: number): boolean {
  return kind === 0 || kind === 3 || (kind >= 10000 && kind < 20000);
}

export function isEphemeral(kind: number): boolean {
  return kind >= 20000 && kind < 30000;
}

export function isAddressable(kind: number): boolean {
  return kind >= 30000 && kind < 40000;
}

/** Value of the first tag with this name, or undefined. */
export function tagValue(event: Pick<NostrEvent, 'tags'>, name: string): string | undefined {
  for (const tag of event.tags) if (tag[0] === name) return tag[1];
  return undefined;
}

/** Whether `a` replaces `b` under NIP-01: the newer one, and of two equally old ones the one with the lowest id. */
export function supersedes(
  a: Pick<NostrEvent, 'created_at' | 'id'>,
  b: Pick<NostrEvent, 'created_at' | 'id'>,
): boolean {
  return a.created_at > b.created_at || (a.created_at === b.created_at && a.id < b.id);
}

/** Order in which a relay answers: newest first, then lowest id. */
export function compareEvents(a: NostrEvent, b: NostrEvent): number {
  return b.created_at - a.created_at || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0);
}
