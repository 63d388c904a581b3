import { createHash } from 'node:crypto';
import type { ArrivingFollows, ArrivingProfile } from '@covey/postgres';

/**
 * A follow list of a source without signatures. Self-follows and repeats are dropped. Its id is the SHA-256 of its
 * followees in ascending order, so that equal lists are known as duplicates and ties break alike everywhere.
 * @param followees public keys as hex
 */
export function unsignedFollows(
  pubkey: string,
  followees: Iterable<string>,
  createdAt: number,
  source: string,
): ArrivingFollows {
  const keys = [...new Set(followees)].filter((key) => key !== pubkey).sort();
  const bytes = new Uint8Array(Buffer.from(keys.join(''), 'hex'));
  return {
    type: 'follows',
    pubkey: Buffer.from(pubkey, 'hex'),
    createdAt,
    id: createHash('sha256').update(bytes).digest('hex'),
    signed: false,
    source,
    followees: bytes,
  };
}

export function unsignedProfile(pubkey: string, name: string, source: string): ArrivingProfile {
  return {
    type: 'profile',
    pubkey: Buffer.from(pubkey, 'hex'),
    createdAt: 0,
    id: createHash('sha256').update(name).digest('hex'),
    signed: false,
    source,
    name,
  };
}
