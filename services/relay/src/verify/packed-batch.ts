import { hash } from 'node:crypto';
import type { SchnorrVerifier } from '@covey/nostr';
import type { SignedText } from './check-signature.ts';

/** Before each text: its length in bytes (u32), id, pubkey and signature. */
const HEAD_BYTES = 4 + 32 + 32 + 64;

/** A batch as one piece of memory, which can be handed to another thread without a copy. */
export function packBatch(batch: readonly SignedText[]): Buffer<ArrayBuffer> {
  const sizes = batch.map(({ text }) => Buffer.byteLength(text));
  const bytes = Buffer.allocUnsafeSlow(sizes.reduce((sum, size) => sum + HEAD_BYTES + size, 0));
  let at = 0;
  batch.forEach(({ text, id, pubkey, sig }, i) => {
    const size = sizes[i]!;
    bytes.writeUInt32LE(size, at);
    bytes.write(id + pubkey + sig, at + 4, 'hex');
    bytes.write(text, at + HEAD_BYTES, 'utf8');
    at += HEAD_BYTES + size;
  });
  return bytes;
}

/** Numbers of verdicts as in checkSignature, one for each of the batch. */
export function checkBatch(packed: Uint8Array, verifier: SchnorrVerifier): Uint8Array {
  const bytes = Buffer.from(packed.buffer, packed.byteOffset, packed.length);
  const verdicts: number[] = [];
  for (let at = 0; at < bytes.length; ) {
    const end = at + HEAD_BYTES + bytes.readUInt32LE(at);
    const id = bytes.subarray(at + 4, at + 36);
    const digest = hash('sha256', bytes.subarray(at + HEAD_BYTES, end), 'buffer');
    const isValid = () =>
      verifier.verify(id, bytes.subarray(at + 36, at + 68), bytes.subarray(at + 68, at + HEAD_BYTES));
    verdicts.push(Buffer.compare(digest, id) !== 0 ? 1 : isValid() ? 0 : 2);
    at = end;
  }
  return Uint8Array.from(verdicts);
}
