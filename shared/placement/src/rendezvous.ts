import { sha256 } from '@noble/hashes/sha2';
import { negLn } from './fixed-log.ts';

/** Largest weight: keeps the cross products of the comparison below 2⁵³. */
export const weightMax = 1 << 20;

export interface WeightedMember {
  id: string;
  /** a whole number, 0 (never chosen) to 2²⁰ */
  weight: number;
}

/**
 * Weighted rendezvous hashing (Thaler and Ravishankar 1998; Schindelhauer and Schomaker 2005): each member's score is
 * −ln(u) / weight with u from the first 32 bits of SHA-256(key ‖ id), and the lowest scores win, the lower id on equal
 * scores. A member that joins or leaves moves only the keys that it wins or loses, in proportion to its weight.
 * SHA-256 rather than a faster mix: keys and ids are chosen by strangers.
 *
 * @param key bytes, or text taken as UTF-8
 * @param domainOf failure domain of a member: members of a domain already chosen are passed over while others remain
 * @returns at most `count` indexes into `members`, best first; fewer when fewer have a weight
 */
export function rendezvous(
  key: Uint8Array | string,
  members: readonly WeightedMember[],
  count: number,
  domainOf?: (index: number) => string | number,
): number[] {
  const prefix = typeof key === 'string' ? encoder.encode(key) : key;
  const scores = new Float64Array(members.length);
  const order: number[] = [];
  members.forEach((member, index) => {
    const { weight } = member;
    if (!Number.isInteger(weight) || weight < 0 || weight > weightMax) {
      throw new RangeError(`weight ${weight} of ${member.id} is not a whole number in 0..${weightMax}`);
    }
    if (weight === 0) return;
    scores[index] = negLn(firstWord(sha256(concat(prefix, encoder.encode(member.id)))));
    order.push(index);
  });
  order.sort((a, b) => {
    const difference = scores[a] * members[b].weight - scores[b] * members[a].weight;
    return difference || (members[a].id < members[b].id ? -1 : 1);
  });
  if (!domainOf) return order.slice(0, count);
  const seen = new Set<string | number>();
  const chosen: number[] = [];
  const passed: number[] = [];
  for (const index of order) {
    const domain = domainOf(index);
    (seen.has(domain) ? passed : chosen).push(index);
    seen.add(domain);
  }
  return [...chosen, ...passed].slice(0, count);
}

/** The first 32 bits of a digest as an unsigned integer. */
export function firstWord(digest: Uint8Array): number {
  return ((digest[0] << 24) | (digest[1] << 16) | (digest[2] << 8) | digest[3]) >>> 0;
}

function concat(a: Uint8Array, b: Uint8Array): Uint8Array {
  const joined = new Uint8Array(a.length + b.length);
  joined.set(a);
  joined.set(b, a.length);
  return joined;
}

const encoder = new TextEncoder();
