import { sha256 } from '@noble/hashes/sha2';
import { bytesToHex, hexToBytes } from '@noble/hashes/utils';
import { type Bound, FINGERPRINT_BYTES, ID_BYTES, NO_PREFIX, varintBytes } from './wire.ts';

/** What is reconciled: an event by its id (hex) and its `created_at` (Unix seconds). */
export interface NegentropyItem {
  id: string;
  createdAt: number;
}

const WORDS = ID_BYTES / 4;

/**
 * A sorted, frozen set of items that can be reconciled, 72 bytes each. Sums of ids are kept for every prefix of the set, so
 * that the fingerprint of any range costs the same.
 */
export class NegentropyItems {
  readonly size: number;
  readonly #timestamps: Float64Array;
  readonly #ids: Uint8Array;
  /** Row i: the sum of the first i ids mod 2^256, least significant word first. */
  readonly #sums: Uint32Array;

  /** Items in any order; the same id twice counts once. */
  constructor(items: Iterable<NegentropyItem>) {
    const sorted = [...items].sort(
      (a, b) => a.createdAt - b.createdAt || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0),
    );
    const unique = sorted.filter((item, i) => i === 0 || item.id !== sorted[i - 1]!.id);
    this.size = unique.length;
    this.#timestamps = Float64Array.from(unique, ({ createdAt }) => createdAt);
    this.#ids = new Uint8Array(this.size * ID_BYTES);
    unique.forEach(({ id }, i) => {
      this.#ids.set(hexToBytes(id), i * ID_BYTES);
    });
    this.#sums = runningSums(this.#ids, this.size);
  }

  timestamp(index: number): number {
    return this.#timestamps[index]!;
  }

  idBytes(index: number): Uint8Array {
    return this.#ids.subarray(index * ID_BYTES, (index + 1) * ID_BYTES);
  }

  id(index: number): string {
    return bytesToHex(this.idBytes(index));
  }

  /** The first 16 bytes of SHA-256 of the sum of the ids in [lower, upper) and their number. */
  fingerprint(lower: number, upper: number): Uint8Array {
    const count = varintBytes(upper - lower);
    const bytes = new Uint8Array(ID_BYTES + count.length);
    const view = new DataView(bytes.buffer);
    let borrow = 0;
    for (let w = 0; w < WORDS; w++) {
      const difference = this.#sums[upper * WORDS + w]! - this.#sums[lower * WORDS + w]! - borrow;
      borrow = difference < 0 ? 1 : 0;
      view.setUint32(4 * w, difference >>> 0, true);
    }
    bytes.set(count, ID_BYTES);
    return sha256(bytes).subarray(0, FINGERPRINT_BYTES);
  }

  /** The first index from `from` on whose item is not before `bound`; `size` when there is none. */
  lowerBound(from: number, bound: Bound): number {
    let low = from;
    let high = this.size;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#isBefore(middle, bound)) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #isBefore(index: number, { timestamp, prefix }: Bound): boolean {
    const own = this.timestamp(index);
    if (own !== timestamp) return own < timestamp;
    const id = this.idBytes(index);
    for (let i = 0; i < prefix.length; i++) if (id[i] !== prefix[i]) return id[i]! < prefix[i]!;
    return false;
  }

  /** The shortest bound between the items at `index - 1` and `index`. */
  boundBefore(index: number): Bound {
    const timestamp = this.timestamp(index);
    if (timestamp !== this.timestamp(index - 1)) return { timestamp, prefix: NO_PREFIX };
    const before = this.idBytes(index - 1);
    const id = this.idBytes(index);
    let shared = 0;
    while (shared < ID_BYTES && before[shared] === id[shared]) shared++;
    return { timestamp, prefix: id.subarray(0, shared + 1) };
  }

  /** The bound that stands right at an item. */
  boundAt(index: number): Bound {
    return { timestamp: this.timestamp(index), prefix: this.idBytes(index) };
  }
}

function runningSums(ids: Uint8Array, count: number): Uint32Array {
  const sums = new Uint32Array((count + 1) * WORDS);
  const view = new DataView(ids.buffer, ids.byteOffset, ids.byteLength);
  for (let i = 0; i < count; i++) {
    let carry = 0;
    for (let w = 0; w < WORDS; w++) {
      const sum = sums[i * WORDS + w]! + view.getUint32(i * ID_BYTES + 4 * w, true) + carry;
      sums[(i + 1) * WORDS + w] = sum >>> 0;
      carry = sum > 0xffffffff ? 1 : 0;
    }
  }
  return sums;
}
