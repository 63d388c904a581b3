import { sha256 } from '@noble/hashes/sha2';
import { utf8ToBytes } from '@noble/hashes/utils';

/** The 32-byte key of a hashtag: SHA-256 of it in lower case, so that `#Nostr` and `#nostr` live at one place. */
export function hashtagKey(hashtag: string): Uint8Array {
  return sha256(utf8ToBytes(hashtag.toLowerCase()));
}
