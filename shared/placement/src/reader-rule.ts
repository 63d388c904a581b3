import { sha256 } from '@noble/hashes/sha2';
import { negLn } from './fixed-log.ts';
import { mix32 } from './mix.ts';
import { firstWord } from './rendezvous.ts';

/**
 * The reader's rule, by which every client chooses among relays (shared/protocol has it for implementers):
 *
 * 1. Open the relay that holds most of what is not covered yet; among equals the one of the least
 *    opening price × −ln(hash(reader, relay)); among equals of that the first in the table's list of members.
 * 2. Close, last opened first, each relay without which everything stays covered.
 * 3. Read each account from its open holder of the least reading price × −ln(hash′(reader, relay)).
 *
 * −ln of a uniform hash, divided by a weight, is an exponential race: a relay wins in proportion to 1 / price among equals
 * (as in weighted rendezvous hashing), and a reader keeps its relays while prices and placement stay. For a given relay
 * the hash is a bijection of the reader's number, so no relay draws more readers by the choice of its key.
 */

/** What distinguishes the second hash, by which reads are divided, from the first. */
const readingSalt = 0x9e3779b9;

/** The number of a reader: the first 32 bits of SHA-256 of 32 bytes, its public key or random ones that it keeps. */
export function readerNumber(key: Uint8Array): number {
  return firstWord(sha256(key));
}

/** The number of a relay: the first 32 bits of SHA-256 of its id as text (64 hex digits for a member). */
export function memberNumber(id: string): number {
  return firstWord(sha256(encoder.encode(id)));
}

/** The least wins when a relay is to be opened. Price: a whole number from 1 to 2²⁴; the product is below 2⁵³. */
export function openScore(reader: number, member: number, price: number): number {
  return price * negLn(mix32(reader, member));
}

/** The least wins when an account is to be read from one of several open holders. */
export function readScore(reader: number, member: number, price: number): number {
  return price * negLn(mix32((reader ^ readingSalt) >>> 0, member));
}

const encoder = new TextEncoder();
