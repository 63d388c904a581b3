import type { MemberVerdicts } from '@covey/liveness';

/**
 * Frames in which a member tells an announced client where accounts live. Relays stand in the order in which to try them.
 * Whoever takes such URLs opens only those that the manifest names.
 */

/** Keys of one filter that live at the same relays. `relays` is empty while no relay that holds them can be reached. */
export interface ElsewhereKeys {
  /** Which filter of the REQ, from 0. */
  filter: number;
  by: 'authors' | '#p' | '#t';
  /** Indexes into that list of the filter, with repetitions taken out. */
  keys: number[];
  relays: string[];
}

/**
 * `["ELSEWHERE", subscription, {"epoch": n, "accounts": [...]}]`: what of a REQ is not served here. Followed by CLOSED with
 * `redirect: …` when that is all of it.
 */
export interface Elsewhere {
  epoch: number;
  accounts: ElsewhereKeys[];
}

/** Accounts that are written at `write` (master first) and read at `read`. */
export interface PlacedAccounts {
  pubkeys: string[];
  write: string[];
  read: string[];
}

/**
 * `["MOVED", {"epoch": n, "manifest": id, "accounts": [...]}]`: under a new table, or when a member died or came back, where
 * those accounts live now that this connection reads or writes and whose relays are others than before.
 * `["LEAVING", {"epoch": n, "accounts": [...]}]`: this member stops; where to go on with what is read and written here.
 */
export interface Moved {
  epoch: number;
  manifest?: string;
  /** Who of the members does not serve now; absent when all do. */
  verdicts?: MemberVerdicts;
  accounts: PlacedAccounts[];
}

/** `["WITHHELD", subscription, {…}]`: events that fit and were not sent, as `bytesPerMinute` asks. */
export interface Withheld {
  events: number;
  bytes: number;
  /** Oldest and newest `created_at` among them. */
  since: number;
  until: number;
  reason: 'bytesPerMinute';
}

/** Keys in one frame; more go in further frames. */
export const PLACED_KEYS_MAX = 1000;

export const elsewhereFrame = (subscription: string, body: Elsewhere): string =>
  JSON.stringify(['ELSEWHERE', subscription, body]);
export const movedFrame = (body: Moved): string => JSON.stringify(['MOVED', body]);
export const leavingFrame = (body: Moved): string => JSON.stringify(['LEAVING', body]);
export const withheldFrame = (subscription: string, body: Withheld): string =>
  JSON.stringify(['WITHHELD', subscription, body]);

export type PlacementFrame =
  | { type: 'ELSEWHERE'; subscription: string; body: Elsewhere }
  | { type: 'WITHHELD'; subscription: string; body: Withheld }
  | { type: 'MOVED' | 'LEAVING'; body: Moved };

/** What a member says of placement, or undefined: not such a frame, or not well-formed (a client passes over it). */
export function parsePlacementFrame(frame: readonly unknown[]): PlacementFrame | undefined {
  const [type, second, third] = frame;
  if (type === 'MOVED' || type === 'LEAVING')
    return isMoved(second) ? { type, body: second as unknown as Moved } : undefined;
  if (typeof second !== 'string') return undefined;
  if (type === 'ELSEWHERE' && isElsewhere(third))
    return { type, subscription: second, body: third as unknown as Elsewhere };
  if (type === 'WITHHELD' && isWithheld(third))
    return { type, subscription: second, body: third as unknown as Withheld };
  return undefined;
}

type Fields = Record<string, unknown>;
const isObject = (value: unknown): value is Fields => typeof value === 'object' && value !== null;
const isCount = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) >= 0;
const isUrls = (value: unknown): boolean =>
  Array.isArray(value) && value.every((url) => typeof url === 'string' && /^wss?:\/\//.test(url));
const isListOf = (value: unknown, fits: (item: Fields) => boolean): boolean =>
  Array.isArray(value) && value.every((item) => isObject(item) && fits(item));

function isElsewhere(value: unknown): value is Fields {
  return (
    isObject(value) &&
    isCount(value['epoch']) &&
    isListOf(
      value['accounts'],
      ({ filter, by, keys, relays }) =>
        isCount(filter) &&
        (by === 'authors' || by === '#p' || by === '#t') &&
        Array.isArray(keys) &&
        keys.every(isCount) &&
        isUrls(relays),
    )
  );
}

function isMoved(value: unknown): value is Fields {
  return (
    isObject(value) &&
    isCount(value['epoch']) &&
    isListOf(
      value['accounts'],
      ({ pubkeys, write, read }) =>
        Array.isArray(pubkeys) &&
        pubkeys.every((key) => typeof key === 'string' && /^[0-9a-f]{64}$/.test(key)) &&
        isUrls(write) &&
        isUrls(read),
    )
  );
}

function isWithheld(value: unknown): value is Fields {
  return isObject(value) && ['events', 'bytes', 'since', 'until'].every((name) => isCount(value[name]));
}
