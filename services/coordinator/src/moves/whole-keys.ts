import { type KeyOf, prefixesInOneTable } from '@covey/moves';
import type { Sql } from '@covey/postgres';
import { type PlacementTable, PREFIX_BYTES } from '@covey/table';

/** Keys asked for in one statement. */
const BATCH = 10_000;
/** Keys remembered: about 100 bytes each. */
const KEYS_MAX = 2_000_000;

/** Whole keys of accounts that one of two tables lists alone, from PostgreSQL, which knows every key that was ever placed. */
export class WholeKeys {
  readonly #sql: Sql;
  readonly #keys = new Map<string, Uint8Array>();

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  async between(current: PlacementTable, target: PlacementTable): Promise<KeyOf> {
    if (this.#keys.size > KEYS_MAX) this.#keys.clear();
    const missing = prefixesInOneTable(current, target).filter(
      (prefix) => !this.#keys.has(textOf(prefix, 0)),
    );
    for (let at = 0; at < missing.length; at += BATCH) await this.#load(missing.slice(at, at + BATCH));
    return (bytes, at) => this.#keys.get(textOf(bytes, at));
  }

  async #load(prefixes: readonly Uint8Array[]): Promise<void> {
    const packed = Buffer.concat(prefixes);
    const last = Buffer.alloc(32 - PREFIX_BYTES, 0xff);
    // Packed prefixes of 10 bytes; for each the first key from it on, by the unique index on pubkey.
    const rows = await this.#sql<{ pubkey: Uint8Array }[]>`
      select found.pubkey from (
        select substring(${packed}::bytea from i * ${PREFIX_BYTES} + 1 for ${PREFIX_BYTES}) as prefix
        from generate_series(0, ${prefixes.length - 1}::int) as i
      ) as wanted
      cross join lateral (
        select pubkey from accounts where pubkey >= prefix and pubkey <= prefix || ${last}::bytea
        order by pubkey limit 1
      ) as found`;
    for (const { pubkey } of rows) this.#keys.set(textOf(pubkey, 0), new Uint8Array(pubkey));
  }
}

function textOf(bytes: Uint8Array, at: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + at, PREFIX_BYTES).toString('latin1');
}
