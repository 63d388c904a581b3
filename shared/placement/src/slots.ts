import { sha256 } from '@noble/hashes/sha2';
import { declared } from './capacity.ts';
import { InfeasiblePlacementError, type PlacedGroup, type PlacementMember } from './problem.ts';
import { rendezvous, weightMax } from './rendezvous.ts';

/** Keys that no group lists belong to one of these. */
export const SLOTS = 4096;

/** The slot of a key (a 32-byte pubkey, or the bytes of a hashtag): the first 12 bits of SHA-256, so nobody chooses. */
export function slotOf(key: Uint8Array): number {
  const digest = sha256(key);
  return (digest[0] << 4) | (digest[1] >> 4);
}

/**
 * The members of every slot, by weighted rendezvous hashing of `slot:<number>` over member ids, so that anyone who has
 * the member list alone computes the same. Weights are declared copies relative to the largest, in 1/1024 of it;
 * different operators first; draining members and those without capacity hold none.
 * @returns SLOTS groups; `accounts` is 0, for nobody knows how many keys a slot has
 * @throws InfeasiblePlacementError when fewer than `copies` members are usable
 */
export function placeSlots(members: readonly PlacementMember[], copies: number): PlacedGroup[] {
  const largest = members.reduce((most, member) => Math.max(most, declared(member, 'copies')), 0);
  const weighted = members.map((member) => {
    const capacity = member.draining ? 0 : declared(member, 'copies');
    const weight = capacity > 0 ? Math.max(1, Math.floor((capacity * 1024) / largest)) : 0;
    return { id: member.id, weight: Math.min(weight, weightMax) };
  });
  const usable = weighted.filter((member) => member.weight > 0).length;
  if (usable < copies) {
    throw new InfeasiblePlacementError(
      'members',
      copies,
      usable,
      `a slot needs ${copies} members and ${usable} are usable: ${copies - usable} short`,
    );
  }
  const domainOf = (index: number): string => members[index].operator ?? `member:${members[index].id}`;
  return Array.from({ length: SLOTS }, (_, slot) => ({
    members: rendezvous(`slot:${slot}`, weighted, copies, domainOf),
    copies,
    hub: false,
    pinned: false,
    accounts: 0,
  }));
}
