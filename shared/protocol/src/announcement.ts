/** Most events in one EVENTS frame. */
export const BATCH_EVENTS_MAX = 50;
const KINDS_MAX = 1000;

/** What a client asks of a connection, beside understanding redirects. Everything is optional. */
export interface ClientOptions {
  /** False: serve what lives elsewhere instead of naming where (a client that wants one socket). */
  redirects: boolean;
  /** Events in one EVENTS frame; 0: one by one, in EVENT frames. */
  batch: number;
  /** How EVENTS frames may be compressed. */
  compress: 'deflate-raw' | undefined;
  /** Only these kinds, in every subscription that does not ask by `ids`. */
  kinds: readonly number[] | undefined;
  /** Bytes of events, before compression, that all subscriptions together may receive in a minute. */
  bytesPerMinute: number | undefined;
  /** Events with more bytes of content come without it; 0 is "headers only". */
  contentBytesMax: number | undefined;
}

export interface Announcement {
  version: number;
  options: ClientOptions;
}

export const NO_OPTIONS: ClientOptions = {
  redirects: true,
  batch: 0,
  compress: undefined,
  kinds: undefined,
  bytesPerMinute: undefined,
  contentBytesMax: undefined,
};

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;

/**
 * A client's announcement: `["COVEY", {"version": 1, …options}]`. `undefined` when the frame is not one, or has an option
 * of the wrong type; unknown options, and ways to compress that are not known here, are passed over.
 */
export function parseAnnouncement(frame: readonly unknown[]): Announcement | undefined {
  if (frame[0] !== 'COVEY' || frame.length < 2) return undefined;
  const body = frame[1];
  if (typeof body !== 'object' || body === null || Array.isArray(body)) return undefined;
  const { version, redirects, batch, compress, kinds, bytesPerMinute, headersOnly, contentBytesMax } =
    body as Record<string, unknown>;
  if (typeof version !== 'number' || !(version >= 1)) return undefined;
  const right =
    isOptional(redirects, (value) => typeof value === 'boolean') &&
    isOptional(headersOnly, (value) => typeof value === 'boolean') &&
    isOptional(compress, (value) => typeof value === 'string') &&
    isOptional(batch, isCount) &&
    isOptional(contentBytesMax, isCount) &&
    isOptional(bytesPerMinute, (value) => isCount(value) && value > 0) &&
    isOptional(kinds, isKinds);
  if (!right) return undefined;
  const withhold = headersOnly === true ? 0 : (contentBytesMax as number | undefined);
  const deflate = compress === 'deflate-raw' ? compress : undefined;
  // An event without its content is no EVENT, and only whole batches are compressed: both imply batches.
  const implied = withhold !== undefined || deflate ? BATCH_EVENTS_MAX : 0;
  return {
    version,
    options: {
      redirects: redirects !== false,
      batch: Math.min(BATCH_EVENTS_MAX, (batch as number | undefined) || implied),
      compress: deflate,
      kinds: kinds as number[] | undefined,
      bytesPerMinute: bytesPerMinute as number | undefined,
      contentBytesMax: withhold,
    },
  };
}

function isOptional(value: unknown, fits: (value: unknown) => boolean): boolean {
  return value === undefined || fits(value);
}

function isKinds(value: unknown): boolean {
  return (
    Array.isArray(value) &&
    value.length <= KINDS_MAX &&
    value.every((kind) => Number.isInteger(kind) && kind >= 0 && kind <= 65535)
  );
}
