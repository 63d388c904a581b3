import { sha256 } from '@noble/hashes/sha2';
import { bytesToHex, hexToBytes } from '@noble/hashes/utils';
import { isHex64 } from './event.ts';
import type { Filter } from './filter.ts';

const REGISTERS = 256;
/** Bits looked at for leading zeros. */
const BITS = 56;
const ADDRESS = /^\d{1,5}:([0-9a-f]{64}):/;
const utf8 = new TextEncoder();

/**
 * Where in a pubkey the counting of NIP-45 begins (8 to 23), told by the first value of the filter's first tag; undefined for
 * filters without a tag.
 */
export function hyperLogLogOffset(filter: Filter): number | undefined {
  const value = Object.values(filter.tags)[0]?.[0];
  if (value === undefined) return undefined;
  const hex = isHex64(value) ? value : (ADDRESS.exec(value)?.[1] ?? bytesToHex(sha256(utf8.encode(value))));
  return Number.parseInt(hex[32]!, 16) + 8;
}

/** How many different pubkeys there are, about: NIP-45's 256 registers. What several relays counted can be merged. */
export class HyperLogLog {
  readonly #offset: number;
  readonly #registers = new Uint8Array(REGISTERS);

  /** @param offset of hyperLogLogOffset */
  constructor(offset: number) {
    this.#offset = offset;
  }

  /** @param pubkey 64 hex digits */
  add(pubkey: string): void {
    const bytes = hexToBytes(pubkey.slice(2 * this.#offset, 2 * this.#offset + 2 + BITS / 4));
    let zeros = 0;
    for (let i = 1; i < bytes.length; i++) {
      if (bytes[i] === 0) zeros += 8;
      else {
        zeros += Math.clz32(bytes[i]!) - 24;
        break;
      }
    }
    const index = bytes[0]!;
    this.#registers[index] = Math.max(this.#registers[index]!, zeros + 1);
  }

  /** Takes in what another relay counted for the same filter. False when it is no such value. */
  merge(hex: unknown): boolean {
    if (typeof hex !== 'string' || !/^[0-9a-f]{512}$/.test(hex)) return false;
    const others = hexToBytes(hex);
    if (others.some((value) => value > BITS + 1)) return false;
    others.forEach((value, i) => {
      this.#registers[i] = Math.max(this.#registers[i]!, value);
    });
    return true;
  }

  /** The registers, 512 hex digits. */
  get hex(): string {
    return bytesToHex(this.#registers);
  }

  /** Different pubkeys, about: 6.5 % off in the mean (Flajolet and others 2007, with linear counting for few). */
  estimate(): number {
    let sum = 0;
    let empty = 0;
    for (const value of this.#registers) {
      sum += 2 ** -value;
      if (value === 0) empty++;
    }
    const raw = ((0.7213 / (1 + 1.079 / REGISTERS)) * REGISTERS ** 2) / sum;
    if (raw <= 2.5 * REGISTERS && empty > 0) return Math.round(REGISTERS * Math.log(REGISTERS / empty));
    return Math.round(raw);
  }
}
