import type { MemberCapacity } from '@covey/postgres';

/** `manual`: an admin admits. `allow-list`: keys that are on the list come in at once. `open`: everybody does. */
export const ADMIT_RULES = ['manual', 'allow-list', 'open'] as const;

export interface AdmissionRule {
  rule: (typeof ADMIT_RULES)[number];
  /** Public keys (hex) that come in at once under `allow-list`. */
  allowed: readonly string[];
  /** Members that a cluster may have; beyond, everybody waits for an admin. */
  membersMax: number;
  /** A newcomer counts for at most so many times the median member. */
  capacityFactorMax: number;
}

/** What becomes of a relay that has proved its key and its URL. Pure. */
export function admissionOf(
  { rule, allowed, membersMax }: AdmissionRule,
  member: string,
  members: number,
): { state: 'requested' | 'active'; reason: string } {
  if (members >= membersMax)
    return { state: 'requested', reason: `waits for an admin: the cluster has ${members} members` };
  if (rule === 'open') return { state: 'active', reason: 'admitted: everybody is' };
  if (rule === 'allow-list' && allowed.includes(member))
    return { state: 'active', reason: 'admitted: on the allow-list' };
  return { state: 'requested', reason: 'waits for an admin: covey admit' };
}

/**
 * What placement uses of a declared capacity: no more than `factorMax` times the median of the members there are, part by
 * part, so that nobody draws a cluster's accounts to itself by a number. Admins can raise it. Pure.
 */
export function clampCapacity(
  declared: MemberCapacity,
  others: readonly MemberCapacity[],
  factorMax: number,
): MemberCapacity {
  const part = (name: keyof MemberCapacity) => {
    const sorted = others.map((capacity) => capacity[name]).sort((a, b) => a - b);
    if (sorted.length === 0) return declared[name];
    return Math.min(declared[name], factorMax * sorted[sorted.length >> 1]!);
  };
  return { copies: part('copies'), connections: part('connections'), reads: part('reads') };
}
