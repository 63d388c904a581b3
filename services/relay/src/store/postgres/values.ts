import { createHash } from 'node:crypto';
import type { Sql, Tx } from './connection.ts';

const OID = { bytea: 17, bigint: 20, int: 23, text: 25 };

/** A list as one parameter. PostgreSQL's type is told: the driver would guess one from the first element. */
export function list(sql: Sql | Tx, type: keyof typeof OID, values: readonly unknown[]) {
  return sql.array(values as never[], OID[type]);
}

export const bytesOf = (hex: string): Buffer => Buffer.from(hex, 'hex');
export const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
/** An address may be long: it is found by the SHA-256 of its UTF-8. */
export const digestOf = (address: string): Buffer => createHash('sha256').update(address).digest();
