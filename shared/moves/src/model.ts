import type { MovePhase, TableContent } from '@covey/table';

/** What a member last said of itself. Epochs may fall: a member that lost its disk begins anew. */
export interface MemberReport {
  /** Epoch that it applies, 0 for none. */
  epoch: number;
  /** When it was last heard, milliseconds of the same clock as `nowMs`. Not heard yet: when listening began. */
  heardAtMs: number;
  /** Since when it has been heard with an older epoch than the last one, without a break; absent while it is up to date. */
  behindSinceMs?: number | undefined;
  /** Moving groups whose copy it is filling, under the epoch that it applies. `unknown`: it did not say. */
  filling: ReadonlySet<number> | 'unknown';
}

/** Bounds and times of moves. */
export interface MovePolicy {
  /** Accounts that one member fills at a time. Twice as many may leave it at a time. */
  accountsPerMemberMax: number;
  /** What a slot counts as, in accounts: nobody knows how many keys it has. */
  slotAccounts: number;
  /** Groups under way at a time. */
  groupsMax: number;
  /** A member that was not heard for so long is stale. */
  silentMs: number;
  /** A member that is heard and does not apply the last epoch for so long is stale. */
  acknowledgeMs: number;
  /** How long a plan or a redirect may be followed after the epoch that it was made under. */
  planTtlMs: number;
  /** Hubs move when the cluster is quiet, or after they waited for so long. */
  hubWaitMs: number;
}

export const DEFAULT_MOVE_POLICY: MovePolicy = {
  accountsPerMemberMax: 2000,
  slotAccounts: 4,
  groupsMax: 1024,
  silentMs: 15_000,
  acknowledgeMs: 30_000,
  planTtlMs: 300_000,
  hubWaitMs: 6 * 3_600_000,
};

/** Moving group → the epoch that brought it to its phase. A group that is missing came there in the current epoch. */
export type PhaseEpochs = ReadonlyMap<number, number>;

export interface StepInput {
  phases: PhaseEpochs;
  /** By member id. Members without one are stale. */
  reports: ReadonlyMap<string, MemberReport>;
  /** Since when every member that is not stale has applied an epoch or a later one; undefined while one has not. */
  appliedSinceMs: (epoch: number) => number | undefined;
  /** Ids of members that the others agree are dead: their places are filled. */
  dead: ReadonlySet<string>;
  /** Milliseconds of any clock that does not jump. */
  nowMs: number;
  /** Since when the target is what is moved to. */
  targetSinceMs: number;
  /** Nothing starts and no phase goes on. */
  paused: boolean;
  /** The cluster has little to do: hubs may move. */
  quiet: boolean;
  policy: MovePolicy;
}

export interface StepChanges {
  /** Groups that began to move, by phase that was entered, and those that arrived. */
  started: number;
  advanced: number;
  finished: number;
  /** Groups that go back to where they were, or to another list than they set out for. */
  redirected: number;
  /** Accounts that set out. */
  accounts: number;
}

/** Why moving groups stay in a phase. */
export interface Waiting {
  phase: MovePhase | 'start';
  reason:
    | 'acknowledgement'
    | 'filling'
    | 'old plans'
    | 'no live copy'
    | 'too few copies'
    | 'bounds'
    | 'quiet';
  groups: number;
  /** Ids of the members waited for. */
  members: string[];
}

export type Step =
  | {
      kind: 'step';
      content: TableContent;
      phases: Map<number, number>;
      changes: StepChanges;
      waiting: Waiting[];
    }
  | { kind: 'wait'; reason: 'moves' | 'paused' | 'cut off'; waiting: Waiting[] }
  | { kind: 'done' };
