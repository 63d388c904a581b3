/** What is held of members now, by public key. Everyone not named is alive and serves. The lists do not overlap. */
export interface MemberVerdicts {
  /** Alive, and catching up on what they missed: they take writes, and are read last. */
  returning: readonly string[];
  /** Dead for a short time: restarts are. */
  dead: readonly string[];
  /** Dead for so long that others take their places. */
  absent: readonly string[];
  /**
   * More than half of all members are alive beyond doubt. A minority that lost sight of the others serves what it holds and
   * takes every write, but gives nobody's place away.
   */
  majority: boolean;
}

export interface Verdicts extends MemberVerdicts {
  /** Probed in vain; they keep their roles until there is a verdict. */
  suspect: readonly string[];
}

export const ALL_ALIVE: Verdicts = { suspect: [], returning: [], dead: [], absent: [], majority: true };

export function isAllAlive({ returning, dead, absent }: MemberVerdicts): boolean {
  return returning.length === 0 && dead.length === 0 && absent.length === 0;
}
