import { createHmac } from 'node:crypto';
import { isPrivateRelayUrl, type NostrEvent, publicKeyOf, signEvent } from '@covey/nostr';
import type { Probe } from '@covey/postgres';
import { parseRedirect } from '@covey/protocol';
import type { PlacementTable } from '@covey/table';
import { WebSocket } from 'ws';
import { publicLookup } from '../public-lookup.ts';

/** Application data (NIP-78): nothing tells a canary from what clients write. */
const KIND = 30078;
const EXPIRES_SECONDS = 86_400;
/** Keys that are tried until one is held by the member, and one is not. */
const KEYS_MAX = 256;
const FRAME_BYTES_MAX = 1 << 20;

export interface CanaryOptions {
  /** Keys of canaries follow from it: nobody else knows them. */
  secretKey: string;
  cluster: string;
  profile: 'local' | 'public';
  /** Unix milliseconds. */
  nowMs: () => number;
  /** How long an answer may take. */
  answerMs?: number;
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
      const { ok, message } = await publish(url, event, options);
      ms = Math.round(performance.now() - startedMs);
      if (!ok) return { outcome: 'astray', detail: `refuses an account that it holds: ${message}`, ms };
      if (!(await has(url, event, options)))
        return { outcome: 'astray', detail: 'does not give back what it holds and acknowledged', ms };
    }
    if (other) {
      const event = canary(other, options);
      const { ok, message } = await publish(url, event, options);
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

async function publish(url: string, event: NostrEvent, options: CanaryOptions) {
  return await converse(url, ['EVENT', event], options, ([type, id, ok, message]) =>
    type === 'OK' && id === event.id ? { ok: ok === true, message: String(message ?? '') } : undefined,
  );
}

/** Whether a REQ gives the event. */
async function has(url: string, event: NostrEvent, options: CanaryOptions): Promise<boolean> {
  const filter = { authors: [event.pubkey], kinds: [KIND], limit: 1 };
  return await converse(url, ['REQ', 'c', filter], options, ([type, , value]) => {
    if (type === 'EVENT' && (value as NostrEvent | undefined)?.id === event.id) return true;
    return type === 'EOSE' || type === 'CLOSED' ? false : undefined;
  });
}

/** Sends one frame, and gives what `onFrame` makes of the answers. @throws when the relay can't be reached, or is silent */
async function converse<T>(
  url: string,
  frame: unknown[],
  { profile, answerMs = 10_000 }: CanaryOptions,
  onFrame: (answer: unknown[]) => T | undefined,
): Promise<T> {
  if (profile === 'public' && isPrivateRelayUrl(url)) throw new Error(`${url} is not on the public internet`);
  const socket = new WebSocket(url, {
    handshakeTimeout: answerMs,
    maxPayload: FRAME_BYTES_MAX,
    perMessageDeflate: false,
    ...(profile === 'public' ? { lookup: publicLookup } : {}),
  });
  let timer: NodeJS.Timeout | undefined;
  try {
    return await new Promise<T>((resolve, reject) => {
      timer = setTimeout(() => reject(new Error(`no answer in ${answerMs / 1000} s`)), answerMs);
      socket.on('open', () => socket.send(JSON.stringify(frame)));
      socket.on('error', reject);
      socket.on('close', () => reject(new Error('the connection was closed')));
      socket.on('message', (data) => {
        const answer = parse(data.toString());
        const result = Array.isArray(answer) ? onFrame(answer) : undefined;
        if (result !== undefined) resolve(result);
      });
    });
  } finally {
    clearTimeout(timer);
    socket.removeAllListeners('close');
    socket.close();
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
