/** Times of failure detection. All members of a cluster do best with the same, but need not have them. */
export interface LivenessConfig {
  /** One round of probes. */
  periodMs: number;
  /** Members probed in a round: with three each, a member is probed by somebody in 95 of 100 rounds or more. */
  probesPerPeriod: number;
  /** Silence after which others are asked to probe as well. */
  directMs: number;
  /** Silence, from the start of a probe, after which its target is suspected. */
  failedMs: number;
  /** Members asked to probe as well. */
  helpers: number;
  /** Members probed at once with the news of a suspicion or a verdict. */
  spread: number;
  /** From suspicion to verdict when enough others confirm it, and when nobody does. */
  suspicionMsMin: number;
  suspicionMsMax: number;
  /** Confirmations after which the verdict takes the least time. */
  confirmations: number;
  /** How often one of the dead is probed: it may be back without knowing that it was missed. */
  deadProbeMs: number;
  /** Dead for so long, a member's place in its groups is given to another. Restarts must not move data. */
  absentMs: number;
  /** For so long after its own start a member claims no majority: others start too. */
  settleMs: number;
  /**
   * A step that comes so late means that this process stood still for so long that others went on without it. What is
   * shorter happens on busy machines; if it was declared dead meanwhile, the first message says so.
   */
  pauseMs: number;
  /** A member that was declared dead and came back takes its roles again after this, doubled each time it happens again. */
  holdMsMin: number;
  holdMsMax: number;
}

/** Heartbeat 1 s; a silent death is a verdict within 5 s. */
export const DEFAULT_LIVENESS: LivenessConfig = {
  periodMs: 1000,
  probesPerPeriod: 3,
  directMs: 400,
  failedMs: 900,
  helpers: 3,
  spread: 2,
  suspicionMsMin: 1500,
  suspicionMsMax: 3000,
  confirmations: 3,
  deadProbeMs: 2000,
  absentMs: 600_000,
  settleMs: 15_000,
  pauseMs: 5000,
  holdMsMin: 2000,
  holdMsMax: 600_000,
};
