import type { MemberVerdicts } from '@covey/liveness';
import type { PlacementTable } from '@covey/table';

/** How a member stands, in the order in which copies are preferred. */
export const STANDING = { serves: 0, returning: 1, dead: 2, absent: 3 } as const;
export type Standing = (typeof STANDING)[keyof typeof STANDING];

/** How each member of a table stands, by its index; undefined when all serve. */
export function standingsOf(table: PlacementTable, verdicts: MemberVerdicts): Uint8Array | undefined {
  let standings: Uint8Array | undefined;
  for (const name of ['returning', 'dead', 'absent'] as const)
    for (const id of verdicts[name]) {
      const index = table.memberIndex(id);
      if (index === undefined) continue;
      standings ??= new Uint8Array(table.members.length);
      standings[index] = STANDING[name];
    }
  return standings;
}
