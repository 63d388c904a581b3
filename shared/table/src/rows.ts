import {
  type AccountRows,
  EXCEPTION_ROW_BYTES,
  InvalidTableError,
  KEY_BYTES,
  PREFIX_BYTES,
  PREFIX_ROW_BYTES,
} from './content.ts';

/** Compares `length` bytes of `a` from `aAt` with those of `b` from `bAt`, as unsigned big-endian numbers. */
export function compareBytes(a: Uint8Array, aAt: number, b: Uint8Array, bAt: number, length: number): number {
  for (let i = 0; i < length; i++) {
    const difference = a[aAt + i]! - b[bAt + i]!;
    if (difference !== 0) return difference;
  }
  return 0;
}

/** First four bytes as a number: enough to order random keys nearly always. */
export function head32(bytes: Uint8Array, at: number): number {
  return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0;
}

/**
 * Rows for `count` accounts. `keys` holds their 32-byte pubkeys one after the other in any order, `groupOf[i]` the group
 * of the i-th. Keys that share their first 10 bytes (ground on purpose: 2^40 work for a pair) go to the exceptions.
 * @throws InvalidTableError when a key occurs twice.
 */
export function buildRows(keys: Uint8Array, groupOf: Uint32Array, count = groupOf.length): AccountRows {
  if (keys.length < count * KEY_BYTES) throw new InvalidTableError('fewer keys than accounts');
  const heads = new Uint32Array(count);
  for (let i = 0; i < count; i++) heads[i] = head32(keys, i * KEY_BYTES);
  const order = new Uint32Array(count);
  for (let i = 0; i < count; i++) order[i] = i;
  order.sort(
    (a, b) => heads[a]! - heads[b]! || compareBytes(keys, a * KEY_BYTES, keys, b * KEY_BYTES, KEY_BYTES),
  );

  const samePrefix = (i: number, j: number) =>
    j >= 0 &&
    j < count &&
    compareBytes(keys, order[i]! * KEY_BYTES, keys, order[j]! * KEY_BYTES, PREFIX_BYTES) === 0;
  const prefixes = new Uint8Array(count * PREFIX_ROW_BYTES);
  const exceptions: number[] = [];
  let rows = 0;
  for (let i = 0; i < count; i++) {
    const account = order[i]!;
    if (
      samePrefix(i, i - 1) &&
      compareBytes(keys, account * KEY_BYTES, keys, order[i - 1]! * KEY_BYTES, KEY_BYTES) === 0
    )
      throw new InvalidTableError('the same pubkey is listed twice');
    if (samePrefix(i, i - 1) || samePrefix(i, i + 1)) {
      exceptions.push(account);
      continue;
    }
    const at = rows++ * PREFIX_ROW_BYTES;
    prefixes.set(keys.subarray(account * KEY_BYTES, account * KEY_BYTES + PREFIX_BYTES), at);
    writeU32(prefixes, at + PREFIX_BYTES, groupOf[account]!);
  }
  const exceptionRows = new Uint8Array(exceptions.length * EXCEPTION_ROW_BYTES);
  exceptions.forEach((account, i) => {
    const at = i * EXCEPTION_ROW_BYTES;
    exceptionRows.set(keys.subarray(account * KEY_BYTES, (account + 1) * KEY_BYTES), at);
    writeU32(exceptionRows, at + KEY_BYTES, groupOf[account]!);
  });
  return { prefixes: prefixes.slice(0, rows * PREFIX_ROW_BYTES), exceptions: exceptionRows };
}

export function writeU32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value;
  bytes[at + 1] = value >>> 8;
  bytes[at + 2] = value >>> 16;
  bytes[at + 3] = value >>> 24;
}

export function readU32(bytes: Uint8Array, at: number): number {
  return (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0;
}

/** Place of `key` among sorted exception rows, or −1. */
export function findException(exceptions: Uint8Array, key: Uint8Array): number {
  let low = 0;
  let high = exceptions.length / EXCEPTION_ROW_BYTES - 1;
  while (low <= high) {
    const middle = (low + high) >>> 1;
    const order = compareBytes(exceptions, middle * EXCEPTION_ROW_BYTES, key, 0, KEY_BYTES);
    if (order === 0) return middle;
    if (order < 0) low = middle + 1;
    else high = middle - 1;
  }
  return -1;
}

/**
 * Place of `key`'s prefix among sorted prefix rows, or −1. Interpolation search, as public keys are spread evenly; it
 * halves the range as well from the eighth step on, so ground keys cannot make it slower than a binary search by much.
 */
export function findPrefix(prefixes: Uint8Array, key: Uint8Array): number {
  const wanted = head32(key, 0);
  let low = 0;
  let high = prefixes.length / PREFIX_ROW_BYTES - 1;
  for (let step = 0; low <= high; step++) {
    const first = head32(prefixes, low * PREFIX_ROW_BYTES);
    const last = head32(prefixes, high * PREFIX_ROW_BYTES);
    if (wanted < first || wanted > last) return -1;
    const guess =
      step < 8 && last > first
        ? low + Math.floor(((wanted - first) * (high - low)) / (last - first))
        : (low + high) >>> 1;
    const order = compareBytes(prefixes, guess * PREFIX_ROW_BYTES, key, 0, PREFIX_BYTES);
    if (order === 0) return guess;
    if (order < 0) low = guess + 1;
    else high = guess - 1;
  }
  return -1;
}
