import { bytesToHex, hexToBytes } from '@noble/hashes/utils';
import { bech32 } from '@scure/base';
import { isHex64 } from './event.ts';

export class InvalidKeyError extends Error {
  override name = 'InvalidKeyError';
}

const ENTITY_CHARACTERS_MAX = 1024;

export function npubEncode(pubkey: string): string {
  return bech32.encode('npub', bech32.toWords(hexToBytes(pubkey)));
}

export function nsecEncode(secretKey: string): string {
  return bech32.encode('nsec', bech32.toWords(hexToBytes(secretKey)));
}

/**
 * A public key as hex from what people paste: 64 hex digits, `npub1…` or `nprofile1…` (with or without `nostr:`).
 * @throws InvalidKeyError that says what was given instead and what to give.
 */
export function parsePubkey(text: string): string {
  const trimmed = text.trim().replace(/^nostr:/, '');
  if (/^[0-9a-fA-F]{64}$/.test(trimmed)) return trimmed.toLowerCase();
  const { prefix, bytes } = decode(trimmed);
  if (prefix === 'npub' && bytes.length === 32) return bytesToHex(bytes);
  if (prefix === 'nprofile') {
    for (let at = 0; at + 2 <= bytes.length; at += 2 + bytes[at + 1]!)
      if (bytes[at] === 0 && bytes[at + 1] === 32 && at + 34 <= bytes.length)
        return bytesToHex(bytes.slice(at + 2, at + 34));
  }
  if (prefix === 'nsec')
    throw new InvalidKeyError('that is a secret key (nsec): never give it away; give the npub');
  throw new InvalidKeyError(`${prefix} does not name an account; give an npub, an nprofile or 64 hex digits`);
}

/** A secret key as hex from `nsec1…` or 64 hex digits. @throws InvalidKeyError */
export function parseSecretKey(text: string): string {
  const trimmed = text.trim();
  if (isHex64(trimmed.toLowerCase())) return trimmed.toLowerCase();
  const { prefix, bytes } = decode(trimmed);
  if (prefix !== 'nsec' || bytes.length !== 32) throw new InvalidKeyError('give an nsec or 64 hex digits');
  return bytesToHex(bytes);
}

function decode(text: string): { prefix: string; bytes: Uint8Array } {
  try {
    const { prefix, words } = bech32.decode(text as `${string}1${string}`, ENTITY_CHARACTERS_MAX);
    return { prefix, bytes: bech32.fromWords(words) };
  } catch (cause) {
    const shown = text.length > 24 ? `${text.slice(0, 24)}…` : text;
    throw new InvalidKeyError(`"${shown}" is not a key; give an npub, an nprofile or 64 hex digits`, {
      cause,
    });
  }
}
