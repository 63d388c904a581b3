/** First byte of a binary frame that carries events, deflate-raw. Others are for later forms. */
export const DEFLATED_EVENTS = 0x01;

export class InvalidBatchError extends Error {
  override name = 'InvalidBatchError';
}

/** Events for one subscription. An event without `content` was shortened: its id still names the whole one. */
export interface EventsFrame {
  subscription: string;
  events: unknown[];
}

/** `["EVENTS", subscription, [event, …]]`. @param list the JSON text of the list, as `eventList` makes it */
export function eventsFrame(subscription: string, list: string): string {
  return `["EVENTS",${JSON.stringify(subscription)},${list}]`;
}

/** The JSON text of a list of events: the part of a batch that is the same for all who asked for the same. */
export function eventList(events: readonly string[]): string {
  return `[${events.join(',')}]`;
}

/** @throws InvalidBatchError when it is an EVENTS frame that is not well-formed; undefined when it is another frame. */
export function parseEventsFrame(frame: readonly unknown[]): EventsFrame | undefined {
  if (frame[0] !== 'EVENTS') return undefined;
  const [, subscription, events] = frame;
  if (typeof subscription !== 'string' || !Array.isArray(events))
    throw new InvalidBatchError('an EVENTS frame is ["EVENTS", subscription, [event, …]]');
  return { subscription, events };
}

/**
 * A binary frame: DEFLATED_EVENTS, one byte with the length of the subscription id, the id in UTF-8, then the list of
 * events in deflate-raw. The id stands before what is compressed, so that one compressed list serves everybody.
 */
export function deflatedEventsFrame(subscription: string, deflatedList: Uint8Array): Uint8Array {
  const id = new TextEncoder().encode(subscription);
  if (id.length > 255) throw new InvalidBatchError('a subscription id has at most 255 bytes');
  const frame = new Uint8Array(2 + id.length + deflatedList.length);
  frame[0] = DEFLATED_EVENTS;
  frame[1] = id.length;
  frame.set(id, 2);
  frame.set(deflatedList, 2 + id.length);
  return frame;
}

/** Takes a binary frame apart; inflating is the caller's, who MUST bound what comes out. @throws InvalidBatchError */
export function readDeflatedEventsFrame(frame: Uint8Array): {
  subscription: string;
  deflatedList: Uint8Array;
} {
  if (frame[0] !== DEFLATED_EVENTS) throw new InvalidBatchError(`no frame of form ${frame[0]} is known`);
  const end = 2 + (frame[1] ?? 0);
  if (frame.length <= end) throw new InvalidBatchError('the frame ends before its events');
  try {
    const subscription = new TextDecoder('utf-8', { fatal: true }).decode(frame.subarray(2, end));
    return { subscription, deflatedList: frame.subarray(end) };
  } catch (cause) {
    throw new InvalidBatchError('the subscription id is not UTF-8', { cause });
  }
}

/**
 * An event's JSON as it goes to a device that wants no content
 * above `bytesMax`: the same text when it is within, else without `content` and with `contentBytes`.
 */
export function withoutLongContent(json: string, bytesMax: number): string {
  const event = JSON.parse(json) as { content: string };
  const contentBytes = new TextEncoder().encode(event.content).length;
  if (contentBytes <= bytesMax) return json;
  const { content: _, ...headers } = event;
  return JSON.stringify({ ...headers, contentBytes });
}

/** A shortened event: it can't be verified, so its author and tags are a claim until the whole one was fetched by id. */
export function isShortened(event: unknown): boolean {
  return typeof event === 'object' && event !== null && !('content' in event) && 'contentBytes' in event;
}
