import { InvalidKeyError, parsePubkey } from '@covey/nostr';
import { KEY_BYTES } from '@covey/table';
import { ProblemError } from './problems.ts';

export const PLAN_KEYS_MAX = 100_000;
const RELAYS_MAX = 65_535;
const COPIES_MAX = 255;
/** npubs that are decoded before other requests get a turn. */
const KEYS_A_TURN = 4_096;

/** A plan that was asked for, checked. */
export type PlanRequest = {
  maxRelays: number;
  copies: number;
  /** 64 hex digits. */
  reader: string | undefined;
} & ({ keys: unknown[] } | { follows: string });

/**
 * Checks the body of a plan request by hand: a schema with a pattern for each of 1,000 items halves the speed.
 * The keys themselves are read by `readKeys`.
 * @throws ProblemError
 */
export function readPlanRequest(body: unknown): PlanRequest {
  if (typeof body !== 'object' || body === null || Array.isArray(body))
    throw new ProblemError(
      'bad-request',
      'Send a JSON object: {"pubkeys":["npub1…", …]} or {"follows":"npub1…"}.',
    );
  const { pubkeys, follows, maxRelays, copies, reader } = body as Record<string, unknown>;
  const bounds = {
    maxRelays: wholeNumber('maxRelays', maxRelays, RELAYS_MAX, RELAYS_MAX),
    copies: wholeNumber('copies', copies, COPIES_MAX, 1),
    reader: reader === undefined ? undefined : readReader(reader),
  };
  if ((pubkeys === undefined) === (follows === undefined))
    throw new ProblemError(
      'bad-request',
      'Send either "pubkeys" (a list) or "follows" (one npub), not both.',
    );
  if (follows !== undefined) {
    if (typeof follows !== 'string')
      throw new ProblemError('bad-request', '"follows" must be one npub or 64 hex digits.');
    return { ...bounds, follows: readKey('follows', follows) };
  }
  if (!Array.isArray(pubkeys))
    throw new ProblemError('bad-request', '"pubkeys" must be a list of npubs or 64-digit hex strings.');
  if (pubkeys.length > PLAN_KEYS_MAX)
    throw new ProblemError(
      'too-many-keys',
      `${pubkeys.length} public keys; a plan takes at most ${PLAN_KEYS_MAX}. Split the list, or fetch GET /v1/table and plan locally.`,
    );
  return { ...bounds, keys: pubkeys };
}

function readReader(reader: unknown): string {
  if (typeof reader !== 'string')
    throw new ProblemError(
      'bad-request',
      '"reader" must be one npub, or 64 hex digits that the client keeps.',
    );
  return readKey('reader', reader);
}

function wholeNumber(name: string, value: unknown, max: number, fallback: number): number {
  if (value === undefined) return fallback;
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 1 || value > max)
    throw new ProblemError('bad-request', `"${name}" must be a whole number from 1 to ${max}.`);
  return value;
}

function readKey(name: string, text: string): string {
  try {
    return parsePubkey(text);
  } catch (error) {
    if (error instanceof InvalidKeyError) throw new ProblemError('bad-key', `${name}: ${error.message}`);
    throw error;
  }
}

/** The keys' bytes, 32 each, in order. Long lists give other requests a turn in between. @throws ProblemError */
export async function readKeys(keys: readonly unknown[]): Promise<Uint8Array> {
  const bytes = Buffer.allocUnsafe(keys.length * KEY_BYTES);
  for (let i = 0; i < keys.length; i++) {
    if (i > 0 && i % KEYS_A_TURN === 0) await new Promise((resolve) => setImmediate(resolve));
    const key = keys[i];
    if (typeof key !== 'string')
      throw new ProblemError('bad-request', `pubkeys[${i}] is not a string; give an npub or 64 hex digits.`);
    // Node's decoder stops at the first character that is no hex digit.
    if (key.length === 64 && bytes.write(key, i * KEY_BYTES, 'hex') === KEY_BYTES) continue;
    bytes.write(readKey(`pubkeys[${i}]`, key), i * KEY_BYTES, 'hex');
  }
  return bytes;
}
