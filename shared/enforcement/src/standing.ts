import type { PlacementTable } from '@covey/table';

/**
 * What is held of the members of a table now, by public key, as failure detection says (`@covey/liveness`). Members that are
 * not named are alive and serve.
 */
export interface Verdicts {
  /** Alive, and catching up on what they missed: they take writes, and are read last. */
  returning: readonly string[];
  dead: readonly string[];
  /** Dead for so long that others take their places. */
  absent: readonly string[];
  /** More than half of all members are alive: places may be given to others. */
  majority: boolean;
}

export const ALL_ALIVE: Verdicts = { returning: [], dead: [], absent: [], majority: true };

/** How a member stands, in the order in which copies are preferred. */
export const STANDING = { serves: 0, returning: 1, dead: 2, absent: 3 } as const;
export type Standing = (typeof STANDING)[keyof typeof STANDING];

/** How each member of a table stands, by its index; undefined when all serve. */
export function standingsOf(table: PlacementTable, verdicts: Verdicts): Uint8Array | undefined {
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
