import { createHmac } from 'node:crypto';
import { type NostrEvent, publicKeyOf, signEvent } from '@covey/nostr';
import type { Probe } from '@covey/postgres';
import { parseRedirect } from '@covey/protocol';
import type { PlacementTable } from '@covey/table';
import { type ExchangeOptions, exchange, publishEvent } from '../relay-exchange.ts';

/** Application data (NIP-78): nothing tells a canary from what clients write. */
const KIND = 30078;
const EXPIRES_SECONDS = 86_400;
/** Keys that are tried until one is held by the member, and one is not. */
const KEYS_MAX = 256;

export interface CanaryOptions extends ExchangeOptions {
  /** Keys of canaries follow from it: nobody else knows them. */
  secretKey: string;
  cluster: string;
  /** Unix milliseconds. */
  nowMs: () => number;
  /** How long an event may take to the member that holds its author. */
  arriveMs?: number;
}

/**
 * Uses a member as a client would, with keys of its own: writes for an account that the member holds and reads it back
 * there; writes for one that it does not hold, and looks for it at a member that does. A member that acknowledges tables
 * without keeping to them fails one of the two. Never throws.
 */
export async function probeMember(
  table: PlacementTable,
  member: number,
  options: CanaryOptions,
): Promise<Probe> {
  const { url } = table.members[member]!;
  const day = Math.floor(options.nowMs() / 86_400_000);
  const own = canaryKey(table, member, day, true, options);
  const other = canaryKey(table, member, day, false, options);
  let ms: number | undefined;
  try {
    if (own) {
      const event = canary(own, options);
      const startedMs = performance.now();
      const { ok, message } = await publishEvent(url, event, options);
      ms = Math.round(performance.now() - startedMs);
      if (!ok) return { outcome: 'astray', detail: `refuses an account that it holds: ${message}`, ms };
      if (!(await has(url, event, options)))
        return { outcome: 'astray', detail: 'does not give back what it holds and acknowledged', ms };
    }
    if (other) {
      const event = canary(other, options);
      const { ok, message } = await publishEvent(url, event, options);
      const holders = table.locate(publicKeyOf(other)).members.map((index) => table.members[index]!.url);
      const fault = ok ? await arrives(event, holders, options) : refusalFault(message, holders);
      if (fault) return { outcome: 'astray', detail: fault, ms };
    }
    return { outcome: 'ok', detail: '', ms };
  } catch (error) {
    return { outcome: 'unreachable', detail: (error as Error).message.slice(0, 200), ms };
  }
}

/** A refusal is right when it names the holders. */
function refusalFault(message: string, holders: readonly string[]): string | undefined {
  const named = parseRedirect(message);
  if (!named) return `refuses an account that lives elsewhere without saying where: ${message.slice(0, 100)}`;
  return named.every((url) => holders.includes(url))
    ? undefined
    : 'redirects to members that do not hold the account';
}

/** Looks for the event at its holders until it is there. Holders that can't be reached prove nothing. */
async function arrives(
  event: NostrEvent,
  holders: readonly string[],
  options: CanaryOptions,
): Promise<string | undefined> {
  const deadlineMs = performance.now() + (options.arriveMs ?? 15_000);
  let reached = 0;
  do {
    reached = 0;
    for (const url of holders) {
      const found = await has(url, event, options).catch(() => undefined);
      if (found) return undefined;
      if (found === false) reached++;
    }
    await new Promise((resolve) => setTimeout(resolve, 500));
  } while (performance.now() < deadlineMs);
  return reached > 0 ? 'acknowledges an account that lives elsewhere, and passes nothing on' : undefined;
}

/** A key of this day that the member holds, or does not hold; undefined when there is none (it holds all, or nothing). */
function canaryKey(
  table: PlacementTable,
  member: number,
  day: number,
  held: boolean,
  { secretKey, cluster }: CanaryOptions,
): string | undefined {
  for (let i = 0; i < KEYS_MAX; i++) {
    const key = createHmac('sha256', Buffer.from(secretKey, 'hex'))
      .update(`covey canary ${cluster} ${table.members[member]!.id} ${day} ${i}`)
      .digest('hex');
    // While a group moves, both lists are right: another key is clearer.
    const { members, move } = table.locate(publicKeyOf(key));
    if (!move && members.includes(member) === held) return key;
  }
  return undefined;
}

function canary(secretKey: string, { nowMs }: CanaryOptions): NostrEvent {
  const seconds = Math.floor(nowMs() / 1000);
  const tags = [
    ['d', 'settings'],
    ['expiration', String(seconds + EXPIRES_SECONDS)],
  ];
  const event = { pubkey: publicKeyOf(secretKey), created_at: seconds, kind: KIND, tags, content: '{}' };
  return signEvent(event, secretKey);
}

/** Whether a REQ gives the event. */
async function has(url: string, event: NostrEvent, options: CanaryOptions): Promise<boolean> {
  const filter = { authors: [event.pubkey], kinds: [KIND], limit: 1 };
  return await exchange(url, ['REQ', 'c', filter], options, ([type, , value]) => {
    if (type === 'EVENT' && (value as NostrEvent | undefined)?.id === event.id) return true;
    return type === 'EOSE' || type === 'CLOSED' ? false : undefined;
  });
}
