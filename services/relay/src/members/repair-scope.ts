/** Events that one reconciliation compares: some 7 MB. More are compared in smaller stretches of time. */
export const REPAIR_ITEMS_MAX = 50_000;
/** Bytes of one negentropy message; in hex it has twice as many. */
export const REPAIR_FRAME_BYTES_MAX = 128 * 1024;

/** Which of the events that two members share are compared. Unix seconds, both ends included. */
export interface RepairScope {
  kinds?: readonly number[];
  since: number;
  until: number;
}

/** The scope in `value`, or undefined when there is none. */
export function readScope(value: unknown): RepairScope | undefined {
  const { kinds, since, until } = (value ?? {}) as Record<string, unknown>;
  const isTime = (n: unknown): n is number => typeof n === 'number' && Number.isSafeInteger(n) && n >= 0;
  if (!isTime(since) || !isTime(until)) return undefined;
  if (kinds === undefined) return { since, until };
  if (!Array.isArray(kinds) || kinds.length > 20 || !kinds.every((kind) => Number.isInteger(kind)))
    return undefined;
  return { kinds, since, until };
}

/** The two halves of a scope, the newer one first; undefined when it is one second. */
export function halves(
  { since, until, ...rest }: RepairScope,
  nowSeconds: number,
): RepairScope[] | undefined {
  if (since >= until) return undefined;
  // Nearly everything is dated before now: the rest of time is one half.
  const middle = until > nowSeconds && since < nowSeconds ? nowSeconds : Math.floor((since + until) / 2);
  return [
    { ...rest, since: middle + 1, until },
    { ...rest, since, until: middle },
  ];
}
