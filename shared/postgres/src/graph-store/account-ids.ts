import type { TransactionSql } from '../index.ts';
import { CopyRows } from './copy-binary.ts';
import { copyIn } from './copy-in.ts';

export const KEY_BYTES = 32;

/** The 32 bytes at position `index` of a run of keys as a string that a Map can hold. */
export function keyAt(keys: Uint8Array, index = 0): string {
  const from = index * KEY_BYTES;
  return Buffer.from(keys.buffer, keys.byteOffset, keys.length).toString('latin1', from, from + KEY_BYTES);
}

export class UnknownKeyError extends Error {
  override name = 'UnknownKeyError';
}

/** Ids of the accounts of one batch. */
export class AccountIds {
  readonly #ordinals: ReadonlyMap<string, number>;
  /** Big-endian int4 by ordinal, as PostgreSQL sends them. */
  readonly #ids: Buffer;

  constructor(ordinals: ReadonlyMap<string, number>, ids: Buffer) {
    this.#ordinals = ordinals;
    this.#ids = ids;
  }

  at(keys: Uint8Array, index = 0): number {
    const ordinal = this.#ordinals.get(keyAt(keys, index));
    if (ordinal === undefined) throw new UnknownKeyError('a key that was not interned with this batch');
    return this.#ids.readInt32BE(ordinal * 4);
  }
}

/**
 * The ids of all keys in `runs` (each a multiple of 32 bytes), made for those that have none. A join for the whole
 * batch, so memory is bounded by the batch and not by the number of accounts. Under the writer's lock.
 */
export async function internKeys(tx: TransactionSql, runs: Iterable<Uint8Array>): Promise<AccountIds> {
  const ordinals = new Map<string, number>();
  const rows = new CopyRows();
  for (const run of runs) {
    for (let i = 0; i < run.length / KEY_BYTES; i++) {
      const key = keyAt(run, i);
      if (ordinals.has(key)) continue;
      rows.row(2);
      rows.int4(ordinals.size);
      rows.bytes(run.subarray(i * KEY_BYTES, (i + 1) * KEY_BYTES));
      ordinals.set(key, ordinals.size);
    }
  }
  await tx`create temporary table if not exists stage_keys (n integer not null, pubkey bytea not null) on commit delete rows`;
  await copyIn(tx, 'stage_keys (n, pubkey)', rows);
  // In the batch's order, so that the same input in the same order gives the same ids.
  await tx`
    insert into accounts (pubkey)
    select s.pubkey from stage_keys s where not exists (select from accounts a where a.pubkey = s.pubkey) order by s.n`;
  // All ids as one value: a row for each would cost more than everything else here.
  const [row] = await tx<{ ids: Buffer | null }[]>`
    select string_agg(int4send(a.id), ''::bytea order by s.n) as ids
    from stage_keys s join accounts a on a.pubkey = s.pubkey`;
  const ids = row?.ids ?? Buffer.alloc(0);
  if (ids.length !== ordinals.size * 4) throw new UnknownKeyError('not every key of the batch got an id');
  await tx`truncate stage_keys`;
  return new AccountIds(ordinals, ids);
}
