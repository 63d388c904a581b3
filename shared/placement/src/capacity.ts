import type { PlacementMember } from './problem.ts';

/** Limits are fractions in thousandths, so that they stay integers. */
const permille = 1000;

/** What a member declares under a name; 1 where it declares nothing. */
export function declared(member: PlacementMember, what: 'copies' | 'connections' | 'reads'): number {
  return member.capacity?.[what] ?? 1;
}

/**
 * Divides `total` copies over members by their declared capacity, where nobody can hold more than `most` (each account
 * at most once): a share beyond that is divided over the others again (water-filling). Members outside `usable` get 0.
 * @returns fair shares, not rounded; they add up to min(total, most × usable)
 */
export function fairShares(
  members: readonly PlacementMember[],
  usable: readonly number[],
  total: number,
  most: number,
): Float64Array {
  const shares = new Float64Array(members.length);
  let open = [...usable];
  let left = Math.min(total, most * usable.length);
  while (open.length > 0) {
    let weight = 0;
    for (const index of open) weight += declared(members[index], 'copies');
    const full = open.filter((index) => left * declared(members[index], 'copies') >= most * weight);
    if (full.length === 0) {
      for (const index of open) shares[index] = (left * declared(members[index], 'copies')) / weight;
      return shares;
    }
    for (const index of full) shares[index] = most;
    left -= full.length * most;
    open = open.filter((index) => !full.includes(index));
  }
  return shares;
}

/**
 * The most copies each member may hold: its fair share times a limit in thousandths, rounded up, never more than
 * `most`.
 */
export function copyCaps(shares: Float64Array, limit: number, most: number): Float64Array {
  return shares.map((share) => Math.min(most, Math.ceil((share * limit) / permille)));
}

/** Loads for one unit of what each member declares; a member that declares none carries none. */
export function relativeLoads(
  loads: Float64Array,
  members: readonly PlacementMember[],
  what: 'copies' | 'connections' | 'reads',
): Float64Array {
  return loads.map((load, index) => {
    const capacity = declared(members[index], what);
    return capacity > 0 ? load / capacity : 0;
  });
}
