/** What Covey puts up with from a relay that it reads. Times in milliseconds. */
export interface RelayLimits {
  connectMsMax: number;
  /** Silence in the middle of an answer. */
  idleMsMax: number;
  /** One answer, from request to EOSE. */
  pageMsMax: number;
  /** Events asked for at a time. */
  pageEvents: number;
  /** Asked for when one second has more events than a page holds. */
  pageEventsMax: number;
  /** Size of an answer: it is cut short there, and the next one goes on. */
  pageBytesMax: number;
  /** Size of one message: the connection is given up. Far over the size of events that count, so that one is told as such. */
  messageBytesMax: number;
  /** Messages of an answer that are of no use: not JSON, not asked for. */
  strayMessagesMax: number;
  /** Answers in one run; the next run goes on from there. */
  pagesMax: number;
}

export const RELAY_LIMITS: RelayLimits = {
  connectMsMax: 10_000,
  idleMsMax: 15_000,
  pageMsMax: 120_000,
  pageEvents: 500,
  pageEventsMax: 5_000,
  pageBytesMax: 32 * 2 ** 20,
  messageBytesMax: 16 * 2 ** 20,
  strayMessagesMax: 1_000,
  pagesMax: 20_000,
};
