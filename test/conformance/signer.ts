import { randomBytes } from 'node:crypto';
import { type NostrEvent, publicKeyOf, signEvent } from '@covey/nostr';

export interface Signer {
  secretKey: string;
  pubkey: string;
  /** A signed event of this key; kind 1, now, without tags unless said otherwise. */
  sign(event?: Partial<Pick<NostrEvent, 'kind' | 'created_at' | 'tags' | 'content'>>): NostrEvent;
}

export function newSigner(secretKey = randomBytes(32).toString('hex')): Signer {
  const pubkey = publicKeyOf(secretKey);
  return {
    secretKey,
    pubkey,
    sign: ({ kind = 1, created_at = Math.floor(Date.now() / 1000), tags = [], content = 'hello' } = {}) =>
      signEvent({ pubkey, kind, created_at, tags, content }, secretKey),
  };
}
