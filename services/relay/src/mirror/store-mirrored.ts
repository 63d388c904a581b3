import type { NostrEvent } from '@covey/nostr';
import type { WritePath } from '../write-path.ts';

const TRANSIENT = /^(error|rate-limited):/;
const NOBODY: ReadonlySet<string> = new Set();

/** Takes a mirrored event in by the way that every client's event goes: verified, decided, durable, replicated. */
export async function storeMirrored(
  writes: WritePath,
  event: NostrEvent,
): Promise<'taken' | 'refused' | 'later'> {
  const { accepted, message } = await writes.publish(event, {
    member: undefined,
    hops: undefined,
    announced: false,
    authenticated: NOBODY,
  });
  if (!accepted) return TRANSIENT.test(message) ? 'later' : 'refused';
  return message.startsWith('duplicate:') ? 'refused' : 'taken';
}
