import { isHex64, type NostrEvent } from '@covey/nostr';
import { type LineTraces, tracesOf } from './line-splitter.ts';

/** Sources of strfry (`sourceType`): clients, then what its operator set going. */
export const CLIENT_SOURCES: ReadonlySet<string> = new Set(['IP4', 'IP6']);
/** Events of other relays, by `strfry stream`, `strfry router` and `strfry sync`. */
export const SYNCED_SOURCES: ReadonlySet<string> = new Set(['Stream', 'Sync']);
/** `strfry import`, and events that are stored already, on their way out by `strfry router`. */
export const OWN_SOURCES: ReadonlySet<string> = new Set(['Import', 'Stored']);

/** What placement looks at. strfry has checked id and signature before it asks. */
export type PlacedEvent = Pick<NostrEvent, 'kind' | 'pubkey' | 'tags'>;

export interface PluginRequest {
  id: string;
  event: PlacedEvent;
  sourceType: string;
  /** An address, or the URL of a relay. */
  sourceInfo: string;
  /** Public key that the client proved by NIP-42. */
  authed: string | undefined;
}

export type ParsedLine =
  | { request: PluginRequest }
  /** A message that wants no answer. */
  | { ignored: string }
  /** With what could be made out of it. */
  | ({ malformed: string } & LineTraces);

const ID_CHARACTERS_MAX = 128;

/** One line of strfry's. Never throws. */
export function parseLine(line: string): ParsedLine {
  let message: unknown;
  try {
    message = JSON.parse(line);
  } catch {
    return { malformed: 'the request is not JSON', ...tracesOf(line) };
  }
  if (!isRecord(message)) return { malformed: 'the request is not a JSON object' };
  const { type, event, sourceType, sourceInfo, authed } = message;
  if (type === 'lookback') return { ignored: 'lookback' }; // strfry before 0.9.4, which waits for no answer to it
  if (!isRecord(event)) return { malformed: 'the request holds no event' };
  const { id } = event;
  if (typeof id !== 'string' || id.length === 0 || id.length > ID_CHARACTERS_MAX)
    return { malformed: 'the event has no id' };
  const traces = typeof sourceType === 'string' ? { id, sourceType } : { id };
  if (type !== 'new') return { malformed: `this plugin answers requests of type "new" only`, ...traces };
  if (typeof sourceType !== 'string') return { malformed: 'the request has no sourceType', ...traces };
  const fault = faultOf(event);
  if (fault) return { malformed: fault, ...traces };
  return {
    request: {
      id,
      event: event as unknown as PlacedEvent,
      sourceType,
      sourceInfo: typeof sourceInfo === 'string' ? sourceInfo : '',
      authed: isHex64(authed) ? authed : undefined,
    },
  };
}

function faultOf({ pubkey, kind, tags }: Record<string, unknown>): string | undefined {
  if (!isHex64(pubkey)) return 'pubkey is not 64 lower-case hex digits';
  if (typeof kind !== 'number' || !Number.isInteger(kind) || kind < 0 || kind > 65_535)
    return 'kind is not a whole number from 0 to 65535';
  if (!Array.isArray(tags)) return 'tags is not a list';
  for (const tag of tags) if (!Array.isArray(tag)) return 'a tag is not a list';
  return undefined;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export interface Answer {
  action: 'accept' | 'reject';
  /** Text of the client's OK; empty where nobody waits for one, and strfry then logs nothing. */
  msg?: string;
}

/** strfry takes answers of up to 8,192 bytes; texts are cut well below. */
export const MSG_CHARACTERS_MAX = 2048;

/** The answer as strfry reads it, newline and all. */
export function answerLine(id: string, { action, msg }: Answer): string {
  if (msg === undefined) return `${JSON.stringify({ id, action })}\n`;
  return `${JSON.stringify({ id, action, msg: msg.slice(0, MSG_CHARACTERS_MAX) })}\n`;
}
