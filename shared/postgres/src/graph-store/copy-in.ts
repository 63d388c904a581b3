import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { TransactionSql } from '../index.ts';
import type { CopyRows } from './copy-binary.ts';

const CHUNK_BYTES = 1 << 20;

/** Sends rows to `target`, a table with its columns in the order of the fields. Neither may come from outside. */
export async function copyIn(tx: TransactionSql, target: string, rows: CopyRows): Promise<void> {
  const bytes = rows.end();
  const chunks = function* () {
    for (let at = 0; at < bytes.length; at += CHUNK_BYTES) yield bytes.subarray(at, at + CHUNK_BYTES);
  };
  await pipeline(
    Readable.from(chunks(), { objectMode: false }),
    await tx`copy ${tx.unsafe(target)} from stdin (format binary)`.writable(),
  );
}
