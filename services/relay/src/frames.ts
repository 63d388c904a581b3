import { type Filter, isHex64, parseFilter } from '@covey/nostr';
import type { Limits } from './limits.ts';

export type ClientFrame =
  | { type: 'EVENT'; event: unknown; hops: number | undefined }
  | { type: 'REQ'; subscription: string; filters: Filter[] }
  | { type: 'COUNT'; subscription: string; filters: Filter[] }
  | { type: 'NEG-OPEN'; subscription: string; filter: unknown; message: unknown }
  | { type: 'NEG-MSG'; subscription: string; message: unknown }
  | { type: 'NEG-CLOSE'; subscription: string }
  | { type: 'CLOSE'; subscription: string }
  | { type: 'AUTH'; event: unknown }
  | { type: 'MEMBER' }
  | { type: 'COVEY'; frame: readonly unknown[] }
  | { type: 'REPAIR'; frame: readonly unknown[] }
  | { type: 'PROBE'; frame: readonly unknown[] }
  | { type: 'EPOCH'; epoch: unknown };

/** A message that is no valid frame. `subscription` is set where CLOSED can say so, else it is a NOTICE. */
export class BadFrameError extends Error {
  override name = 'BadFrameError';
  readonly subscription: string | undefined;

  constructor(message: string, subscription?: string, options?: ErrorOptions) {
    super(message, options);
    this.subscription = subscription;
  }
}

/** Reads one message of a client. @throws BadFrameError */
export function parseFrame(text: string, limits: Limits): ClientFrame {
  let frame: unknown;
  try {
    frame = JSON.parse(text);
  } catch (cause) {
    throw new BadFrameError('the message is not JSON', undefined, { cause });
  }
  if (!Array.isArray(frame)) throw new BadFrameError('a message is a JSON array');
  switch (frame[0]) {
    case 'EVENT':
      return { type: 'EVENT', event: frame[1], hops: readHops(frame[2]) };
    case 'REQ':
    case 'COUNT':
      return readReq(frame[0], frame, limits);
    case 'NEG-OPEN':
      return { ...readNegentropy(frame, limits), type: 'NEG-OPEN', filter: frame[2], message: frame[3] };
    case 'NEG-MSG':
      return { ...readNegentropy(frame, limits), type: 'NEG-MSG', message: frame[2] };
    case 'NEG-CLOSE':
      return { ...readNegentropy(frame, limits), type: 'NEG-CLOSE' };
    case 'CLOSE':
      return { type: 'CLOSE', subscription: readSubscription(frame[1], limits) };
    case 'AUTH':
      return { type: 'AUTH', event: frame[1] };
    case 'COVEY':
      return { type: 'COVEY', frame };
    case 'COVEY-MEMBER':
      return { type: 'MEMBER' };
    case 'COVEY-NEG':
    case 'COVEY-NEG-CLOSE':
      return { type: 'REPAIR', frame };
    case 'COVEY-PROBE':
      return { type: 'PROBE', frame };
    case 'COVEY-EPOCH':
      return { type: 'EPOCH', epoch: frame[1] };
    default: {
      const name = typeof frame[0] === 'string' ? `"${frame[0].slice(0, 16).toWellFormed()}"` : 'that';
      throw new BadFrameError(`${name} is no message that this relay knows`);
    }
  }
}

function readSubscription(value: unknown, limits: Limits): string {
  const most = limits.subscriptionIdCharactersMax;
  if (typeof value !== 'string' || value.length === 0 || value.length > most || !value.isWellFormed())
    throw new BadFrameError(`a subscription id is a string of 1 to ${most} characters`);
  return value;
}

function readNegentropy(frame: readonly unknown[], limits: Limits): { subscription: string } {
  return { subscription: readSubscription(frame[1], limits) };
}

function readReq(type: 'REQ' | 'COUNT', frame: readonly unknown[], limits: Limits): ClientFrame {
  const subscription = readSubscription(frame[1], limits);
  if (frame.length < 3) throw new BadFrameError(`a ${type} needs at least one filter`, subscription);
  if (frame.length - 2 > limits.filtersMax)
    throw new BadFrameError(`a ${type} may have ${limits.filtersMax} filters`, subscription);
  try {
    return {
      type,
      subscription,
      filters: frame.slice(2).map((filter) => parseFilter(filter, { valuesMax: limits.valuesMax })),
    };
  } catch (cause) {
    throw new BadFrameError((cause as Error).message, subscription, { cause });
  }
}

/** The third element of an EVENT between members: `{"hops": n}`. */
function readHops(value: unknown): number | undefined {
  const hops = (value as { hops?: unknown } | null | undefined)?.hops;
  return typeof hops === 'number' && Number.isInteger(hops) && hops >= 1 && hops <= 255 ? hops : undefined;
}

/** The id in a value that claims to be an event, so that even a malformed one can be answered by OK. */
export function claimedId(event: unknown): string | undefined {
  const id = (event as { id?: unknown } | null | undefined)?.id;
  return isHex64(id) ? id : undefined;
}

/** The id of the event in a message that is too large to be parsed. */
export function idInText(text: string): string | undefined {
  if (!/^\s*\[\s*"EVENT"/.test(text)) return undefined;
  return /"id"\s*:\s*"([0-9a-f]{64})"/.exec(text)?.[1];
}

// What a relay says. JSON.stringify escapes whatever stands in messages.
export const ok = (id: string, accepted: boolean, message: string): string =>
  JSON.stringify(['OK', id, accepted, message]);
export const closed = (subscription: string, message: string): string =>
  JSON.stringify(['CLOSED', subscription, message]);
export const notice = (message: string): string => JSON.stringify(['NOTICE', message]);
export const eventPrefix = (subscription: string): string => `["EVENT",${JSON.stringify(subscription)},`;
/** @param complete true: nothing more is stored anywhere; false: there is or may be more; undefined: not known (NIP-67) */
export const eose = (subscription: string, complete: boolean | undefined): string =>
  JSON.stringify(
    complete === undefined ? ['EOSE', subscription] : ['EOSE', subscription, [complete ? 'finish' : 'more']],
  );
