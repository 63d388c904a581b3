import { promisify } from 'node:util';
import { zstdCompress, zstdDecompressSync } from 'node:zlib';
import type { EpochInputs } from './inputs.ts';

const MAGIC = 'COVEYINP';
/** Of the unpacked inputs: 10 million accounts with 200 million follows take 1.2 GB; such a cluster is not audited here. */
export const INPUTS_BYTES_MAX = 512 << 20;
/** Of one row in the database. */
const PIECE_BYTES = 8 << 20;

/** The inputs can't be kept, or what was kept is no inputs. */
export class InputsFileError extends Error {
  override name = 'InputsFileError';
}

const ARRAYS = { Uint8Array, Uint16Array, Uint32Array, Int32Array, Float32Array, Float64Array } as const;
type ArrayName = keyof typeof ARRAYS;

/**
 * Everything that decided an epoch, as bytes: magic, length of the head (u32), the head (JSON, in which `{"$array": [type,
 * offset, length]}` stands for a typed array and `{"$map": […]}` for a Map), then the arrays, little-endian, each at a
 * multiple of 8. Compressed with zstd, in pieces. @returns undefined when they are larger than the bound.
 */
export async function packInputs(inputs: EpochInputs): Promise<Buffer[] | undefined> {
  const arrays: Buffer[] = [];
  let offset = 0;
  const head = JSON.stringify(inputs, function (key, _) {
    // `this` holds the value before toJSON: typed arrays would have become objects.
    const value = (this as Record<string, unknown>)[key];
    if (value instanceof Map) return { $map: [...value] };
    if (!ArrayBuffer.isView(value)) return value;
    const bytes = Buffer.from(value.buffer as ArrayBuffer, value.byteOffset, value.byteLength);
    const name = value.constructor.name === 'Buffer' ? 'Uint8Array' : value.constructor.name;
    const entry = { $array: [name, offset, bytes.length] };
    const padding = (8 - (bytes.length % 8)) % 8;
    arrays.push(bytes, Buffer.alloc(padding));
    offset += bytes.length + padding;
    return entry;
  });
  if (head.length + offset > INPUTS_BYTES_MAX) return undefined;
  const length = Buffer.alloc(4);
  const json = Buffer.from(head);
  length.writeUInt32LE(json.length);
  const packed = await promisify(zstdCompress)(Buffer.concat([Buffer.from(MAGIC), length, json, ...arrays]));
  const pieces: Buffer[] = [];
  for (let at = 0; at < packed.length; at += PIECE_BYTES) pieces.push(packed.subarray(at, at + PIECE_BYTES));
  return pieces;
}

/** @throws InputsFileError */
export function unpackInputs(pieces: readonly Uint8Array[]): EpochInputs {
  let bytes: Buffer;
  try {
    bytes = zstdDecompressSync(Buffer.concat(pieces), { maxOutputLength: INPUTS_BYTES_MAX * 2 });
  } catch (cause) {
    throw new InputsFileError(`the inputs can't be unpacked: ${(cause as Error).message}`, { cause });
  }
  const headBytes = bytes.length >= 12 ? bytes.readUInt32LE(8) : 0;
  if (bytes.subarray(0, 8).toString() !== MAGIC || 12 + headBytes > bytes.length)
    throw new InputsFileError('those are no inputs of an epoch');
  const base = 12 + headBytes;
  const revive = (_key: string, value: unknown) => {
    if (typeof value !== 'object' || value === null) return value;
    if ('$map' in value) return new Map(value.$map as [unknown, unknown][]);
    if (!('$array' in value)) return value;
    const [name, offset, length] = value.$array as [ArrayName, number, number];
    const Type = ARRAYS[name];
    if (!Type || base + offset + length > bytes.length) throw new InputsFileError('an array is cut off');
    const copy = new Uint8Array(bytes.subarray(base + offset, base + offset + length));
    return new Type(copy.buffer);
  };
  try {
    return JSON.parse(bytes.subarray(12, base).toString(), revive) as EpochInputs;
  } catch (cause) {
    throw new InputsFileError(`the head is not readable: ${(cause as Error).message}`, { cause });
  }
}
