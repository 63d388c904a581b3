/** A Negentropy message that is malformed, or of a version that is not spoken here. */
export class NegentropyError extends Error {
  override name = 'NegentropyError';
}

/** Version 1 of the protocol, the first byte of each message. */
export const PROTOCOL_VERSION = 0x61;
export const ID_BYTES = 32;
export const FINGERPRINT_BYTES = 16;

/** What a range of a message carries. */
export const MODE = { skip: 0, fingerprint: 1, idList: 2 } as const;

/** Where a range ends: the items before it are those with a lower timestamp, or with this one and a lower id. */
export interface Bound {
  /** Unix seconds; Infinity after everything. */
  timestamp: number;
  /** The first bytes of an id, as many as it takes to tell two neighbours apart. */
  prefix: Uint8Array;
}

export const NO_PREFIX = new Uint8Array(0);
export const END: Bound = { timestamp: Number.POSITIVE_INFINITY, prefix: NO_PREFIX };

/** Bytes of a message being made; timestamps are written as the distance from the one before. */
export class MessageWriter {
  #bytes = new Uint8Array(1024);
  #length = 0;
  #timestamp = 0;

  constructor() {
    this.byte(PROTOCOL_VERSION);
  }

  get length(): number {
    return this.#length;
  }

  get bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  /** Where the message stands, to come back to by `rewind` when what follows does not fit. */
  mark(): { length: number; timestamp: number } {
    return { length: this.#length, timestamp: this.#timestamp };
  }

  rewind({ length, timestamp }: { length: number; timestamp: number }): void {
    this.#length = length;
    this.#timestamp = timestamp;
  }

  byte(value: number): void {
    this.#grow(1);
    this.#bytes[this.#length++] = value;
  }

  put(bytes: Uint8Array): void {
    this.#grow(bytes.length);
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  varint(value: number): void {
    this.put(varintBytes(value));
  }

  bound({ timestamp, prefix }: Bound): void {
    if (timestamp === Number.POSITIVE_INFINITY) this.varint(0);
    else {
      this.varint(timestamp - this.#timestamp + 1);
      this.#timestamp = timestamp;
    }
    this.varint(prefix.length);
    this.put(prefix);
  }

  #grow(bytes: number): void {
    if (this.#length + bytes <= this.#bytes.length) return;
    const larger = new Uint8Array(Math.max(2 * this.#bytes.length, this.#length + bytes));
    larger.set(this.bytes);
    this.#bytes = larger;
  }
}

/** Reads a message; each method throws NegentropyError where the bytes end early or say what can't be. */
export class MessageReader {
  readonly #bytes: Uint8Array;
  #at = 0;
  #timestamp = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get done(): boolean {
    return this.#at === this.#bytes.length;
  }

  byte(): number {
    return this.take(1)[0]!;
  }

  take(count: number): Uint8Array {
    if (count > this.#bytes.length - this.#at) throw new NegentropyError('the message ends early');
    this.#at += count;
    return this.#bytes.subarray(this.#at - count, this.#at);
  }

  varint(): number {
    let value = 0;
    for (;;) {
      const byte = this.byte();
      value = value * 128 + (byte & 127);
      if (value > Number.MAX_SAFE_INTEGER) throw new NegentropyError('a number is too large');
      if ((byte & 128) === 0) return value;
    }
  }

  bound(): Bound {
    const distance = this.varint();
    if (distance === 0) this.#timestamp = Number.POSITIVE_INFINITY;
    else this.#timestamp += distance - 1;
    if (
      this.#timestamp > Number.MAX_SAFE_INTEGER &&
      distance !== 0 &&
      this.#timestamp !== Number.POSITIVE_INFINITY
    )
      throw new NegentropyError('a timestamp is too large');
    const length = this.varint();
    if (length > ID_BYTES) throw new NegentropyError('an id prefix is longer than an id');
    return { timestamp: this.#timestamp, prefix: this.take(length) };
  }
}

/** Base 128, most significant digit first, the high bit set on all digits but the last. */
export function varintBytes(value: number): Uint8Array {
  const digits = [value % 128];
  for (let rest = Math.floor(value / 128); rest > 0; rest = Math.floor(rest / 128))
    digits.push((rest % 128) | 128);
  return Uint8Array.from(digits.reverse());
}
