import { eventId, isEphemeral, KIND, type NostrEvent, parseEvent, type Verdict } from '@covey/nostr';
import type { Limits } from './limits.ts';
import { lackOfWork } from './proof-of-work.ts';
import type { Awaitable } from './store/event-store.ts';
import { expirationOf } from './store/keys.ts';

/** Why an event is not taken, as the text of its OK: `<prefix>: <reason>`. */
export class RefusedEventError extends Error {
  override name = 'RefusedEventError';
}

export interface Admission {
  limits: Limits;
  /** Unix seconds. */
  now: number;
  /** Another member took it from its client: the date was looked at there, by another clock. */
  fromMember: boolean;
  /** Whether this very event, by id and signature, is stored: its signature was checked then. */
  isStored: (id: string, sig: string) => Awaitable<boolean>;
  /** Checks id and signature, off this thread. @throws VerifyBusyError */
  verify: (event: NostrEvent) => Promise<Verdict>;
  /** Leading zero bits that a client's event must have and commit to (NIP-13). */
  powBitsMin: number;
}

/**
 * The event in `value` when it may count: of the right shape, within the limits, not dated in the future, not expired,
 * not an AUTH, with the right id and signature. Cheap checks first; the signature last.
 * @throws RefusedEventError, VerifyBusyError
 */
export async function admitEvent(
  value: unknown,
  { limits, now, fromMember, isStored, verify, powBitsMin }: Admission,
): Promise<NostrEvent> {
  const tags = (value as { tags?: unknown } | null)?.tags;
  if (Array.isArray(tags) && tags.length > limits.eventTagsMax)
    throw new RefusedEventError(
      `invalid: the event has ${tags.length} tags; this relay takes ${limits.eventTagsMax}`,
    );
  let event: NostrEvent;
  try {
    event = parseEvent(value);
  } catch (cause) {
    throw new RefusedEventError(`invalid: ${(cause as Error).message}`, { cause });
  }
  if (event.kind === KIND.auth)
    throw new RefusedEventError('invalid: kind 22242 belongs in an AUTH message and is not published');
  const ahead = event.created_at - now;
  if (ahead > limits.createdAtFutureSecondsMax && !fromMember)
    throw new RefusedEventError(
      `invalid: created_at is ${ahead} seconds in the future; this relay takes ${limits.createdAtFutureSecondsMax}`,
    );
  const expires = expirationOf(event);
  if (expires !== undefined && expires <= now && !isEphemeral(event.kind))
    throw new RefusedEventError('invalid: the event has expired');
  if (embedsProtected(event))
    throw new RefusedEventError('blocked: the repost embeds a protected event (NIP-70)');
  if ((await isStored(event.id, event.sig)) && eventId(event) === event.id) return event;
  const lack = fromMember ? undefined : lackOfWork(event, powBitsMin);
  if (lack) throw new RefusedEventError(`pow: ${lack}`);
  const verdict = await verify(event);
  if (verdict !== 'valid') throw new RefusedEventError(`invalid: ${verdict}`);
  return event;
}

/** NIP-70: a repost must not carry an event that only its author may publish. */
function embedsProtected(event: NostrEvent): boolean {
  if ((event.kind !== 6 && event.kind !== 16) || !event.content.includes('"-"')) return false;
  try {
    const tags: unknown = JSON.parse(event.content)?.tags;
    return Array.isArray(tags) && tags.some((tag) => Array.isArray(tag) && tag[0] === '-');
  } catch {
    return false;
  }
}
