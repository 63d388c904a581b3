/**
 * An answer that is an RFC 9457 problem document. `type` is `urn:covey:problem:<kind>`; `detail` says what was wrong
 * with this request and what to do next.
 */
export class ProblemError extends Error {
  override name = 'ProblemError';
  readonly kind: ProblemKind;
  readonly retryAfterSeconds: number | undefined;

  constructor(
    kind: ProblemKind,
    detail: string,
    options: { cause?: unknown; retryAfterSeconds?: number } = {},
  ) {
    super(detail, 'cause' in options ? { cause: options.cause } : undefined);
    this.kind = kind;
    this.retryAfterSeconds = options.retryAfterSeconds;
  }
}

/** Every kind of problem that the api answers with. README.md lists them for people. */
export const PROBLEMS = {
  'bad-request': { status: 400, title: 'The request can’t be understood' },
  'bad-key': { status: 400, title: 'Not a public key' },
  'not-json': { status: 400, title: 'The body is not JSON' },
  'admin-closed': { status: 403, title: 'For admins only' },
  'not-found': { status: 404, title: 'Nothing here' },
  'no-follow-list': { status: 404, title: 'No follow list known' },
  'body-too-large': { status: 413, title: 'The body is too large' },
  'not-json-type': { status: 415, title: 'The body must be sent as JSON' },
  'too-many-keys': { status: 422, title: 'Too many public keys' },
  internal: { status: 500, title: 'The API failed' },
  'no-table': { status: 503, title: 'No placement table yet' },
  'no-database': { status: 503, title: 'The database is not reachable' },
  busy: { status: 503, title: 'Too much work at once' },
} as const;

export type ProblemKind = keyof typeof PROBLEMS;

export interface ProblemDocument {
  type: string;
  title: string;
  status: number;
  detail: string;
}

export function problemDocument(kind: ProblemKind, detail: string): ProblemDocument {
  const { status, title } = PROBLEMS[kind];
  return { type: `urn:covey:problem:${kind}`, title, status, detail };
}

export const PROBLEM_TYPE = 'application/problem+json';

/** The problem of "nothing was published yet": what every answer from the table says until there is one. */
export function noTable(): ProblemError {
  return new ProblemError(
    'no-table',
    'The coordinator has not published a placement table yet, or this API has not received it. Try again in a few seconds; GET /readyz says when it is there.',
    { retryAfterSeconds: 5 },
  );
}

/** The problem that stands for an error of the framework, of a handler or of the code. */
export function problemOf(error: unknown): { kind: ProblemKind; detail: string; retryAfterSeconds?: number } {
  if (error instanceof ProblemError) {
    const { kind, message, retryAfterSeconds } = error;
    return { kind, detail: message, ...(retryAfterSeconds ? { retryAfterSeconds } : {}) };
  }
  const { code, message, statusCode } = error as { code?: string; message?: string; statusCode?: number };
  if (
    code === 'FST_ERR_CTP_INVALID_JSON_BODY' ||
    code === 'FST_ERR_CTP_EMPTY_JSON_BODY' ||
    error instanceof SyntaxError
  )
    return { kind: 'not-json', detail: `Send a JSON object such as {"pubkeys":["npub1…"]}. (${message})` };
  if (code === 'FST_ERR_CTP_BODY_TOO_LARGE')
    return {
      kind: 'body-too-large',
      detail: `Send at most 100,000 public keys in at most ${BODY_BYTES_MAX >> 20} MiB; split the list into several requests.`,
    };
  if (code === 'FST_ERR_CTP_INVALID_MEDIA_TYPE')
    return { kind: 'not-json-type', detail: 'Set the header content-type: application/json.' };
  if (statusCode !== undefined && statusCode >= 400 && statusCode < 500)
    return { kind: 'bad-request', detail: `${message}. See /docs for what this route takes.` };
  return {
    kind: 'internal',
    detail:
      'Something went wrong here, and was logged. Try again; if it happens again, tell the operator when.',
  };
}

/** Admits 100,000 keys as hex or npub with generous white space. */
export const BODY_BYTES_MAX = 8 << 20;
