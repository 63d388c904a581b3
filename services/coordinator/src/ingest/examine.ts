import type { RejectReason } from '@covey/jobs';
import {
  followees,
  InvalidEventError,
  isPrivateRelayUrl,
  KIND,
  type NostrEvent,
  parseEvent,
  relayListEntries,
  verifyEvent,
} from '@covey/nostr';
import type { ArrivingList, FutureList } from '@covey/postgres';
import { pickVerifier } from '@covey/verifier';
import { displayName } from './display-name.ts';
import type { RecordBlock } from './source-chunk.ts';

/** The fastest of this machine, found by each examiner thread once. */
const { verifier } = pickVerifier();

export interface ExamineOptions {
  /** Written beside each list. */
  source: string;
  /** Largest event, as JSON. */
  eventBytesMax: number;
  tagsMax: number;
  /** Relays that one list may name; the first ones count. */
  relayEntriesMax: number;
  /** How far ahead of the clock a list may be dated, in seconds. */
  aheadSecondsMax: number;
  /** Whether relay URLs may point into a private network. */
  privateUrls: boolean;
  /** Whether names are taken from kind 0. */
  profiles: boolean;
}

export const EXAMINE_DEFAULTS = {
  eventBytesMax: 2 ** 20,
  tagsMax: 20_000,
  relayEntriesMax: 50,
  aheadSecondsMax: 15 * 60,
} as const;

/** What a block of records holds. */
export interface Examined {
  lists: ArrivingList[];
  future: FutureList[];
  rejected: Partial<Record<RejectReason, number>>;
  privateRelayUrls: number;
}

const utf8 = new TextDecoder('utf-8', { fatal: true });

/**
 * Looks at every record: size, UTF-8, JSON, number of tags, shape, kind, id, signature, date, in this order, so that the
 * cheap tests spare the dear ones. Takes all the time that ingest takes: run it on a thread.
 * @param now Unix seconds
 */
export function examine({ bytes, ends }: RecordBlock, now: number, options: ExamineOptions): Examined {
  const found: Examined = { lists: [], future: [], rejected: {}, privateRelayUrls: 0 };
  let from = 0;
  for (const end of ends) {
    const reason = examineRecord(bytes.subarray(from, end), now, options, found);
    if (reason) found.rejected[reason] = (found.rejected[reason] ?? 0) + 1;
    from = end;
  }
  return found;
}

function examineRecord(
  record: Uint8Array,
  now: number,
  options: ExamineOptions,
  found: Examined,
): RejectReason | undefined {
  if (record.length > options.eventBytesMax) return 'too large';
  let text: string;
  try {
    text = utf8.decode(record);
  } catch {
    return 'invalid utf-8';
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return 'broken json';
  }
  // As relays send it: ["EVENT", subscription, event].
  if (Array.isArray(value) && value[0] === 'EVENT') value = value[value.length - 1];
  const tags = (value as { tags?: unknown } | null)?.tags;
  if (Array.isArray(tags) && tags.length > options.tagsMax) return 'too many tags';
  let event: NostrEvent;
  try {
    event = parseEvent(value);
  } catch (error) {
    if (error instanceof InvalidEventError) return 'malformed';
    throw error;
  }
  const { kind } = event;
  if (kind !== KIND.follows && kind !== KIND.relayList && !(kind === KIND.metadata && options.profiles))
    return 'other kind';
  const verdict = verifyEvent(event, verifier);
  if (verdict !== 'valid') return verdict;
  if (event.created_at > now + options.aheadSecondsMax) {
    // Verified before it is set aside: what is forged must not fill the place.
    if (kind !== KIND.metadata)
      found.future.push({
        pubkey: bytesOf(event.pubkey),
        kind,
        createdAt: event.created_at,
        source: options.source,
        event: JSON.stringify(event),
      });
    return 'future';
  }
  return take(event, options, found);
}

function take(event: NostrEvent, options: ExamineOptions, found: Examined): RejectReason | undefined {
  const list = {
    pubkey: bytesOf(event.pubkey),
    createdAt: event.created_at,
    id: event.id,
    signed: true,
    source: options.source,
  };
  if (event.kind === KIND.follows) {
    found.lists.push({ type: 'follows', ...list, followees: bytesOf(followees(event).join('')) });
  } else if (event.kind === KIND.relayList) {
    const entries = relayListEntries(event);
    const allowed = options.privateUrls ? entries : entries.filter(({ url }) => !isPrivateRelayUrl(url));
    found.privateRelayUrls += entries.length - allowed.length;
    found.lists.push({ type: 'relays', ...list, entries: allowed.slice(0, options.relayEntriesMax) });
  } else {
    const name = nameIn(event.content);
    if (name === undefined) return 'malformed';
    found.lists.push({ type: 'profile', ...list, name });
  }
  return undefined;
}

function nameIn(content: string): string | undefined {
  try {
    const profile = JSON.parse(content) as Record<string, unknown> | null;
    return displayName(profile?.['display_name']) ?? displayName(profile?.['name']);
  } catch {
    return undefined;
  }
}

/** Bytes of their own, so that handing them to another thread copies no more than them. */
function bytesOf(hex: string): Uint8Array {
  const bytes = new Uint8Array(hex.length / 2);
  Buffer.from(bytes.buffer).write(hex, 'hex');
  return bytes;
}
