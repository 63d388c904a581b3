/** What is held of members now, by public key. Everyone not named is alive and serves. The lists do not overlap. */
export interface Verdicts {
  suspect: readonly string[];
  /** Alive, and catching up before they serve. */
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

export const NO_VERDICTS: Verdicts = { suspect: [], returning: [], dead: [], absent: [], majority: true };
