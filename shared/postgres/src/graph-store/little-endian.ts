import { endianness } from 'node:os';

const HOST_IS_LITTLE = endianness() === 'LE';

/** The values as little-endian u32. On nearly every machine a view, without a copy. */
export function u32Bytes(values: Uint32Array): Buffer {
  const bytes = Buffer.from(values.buffer, values.byteOffset, values.byteLength);
  return HOST_IS_LITTLE ? bytes : Buffer.from(bytes).swap32();
}

/** The u32 values in little-endian bytes, as a copy. */
export function u32Values(bytes: Uint8Array): Uint32Array {
  const copy = Buffer.from(new Uint8Array(bytes).buffer);
  if (!HOST_IS_LITTLE) copy.swap32();
  return new Uint32Array(copy.buffer, copy.byteOffset, copy.length >> 2);
}
