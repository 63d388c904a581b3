/** A process that must not outlive the supervisor. */
export interface Ward {
  name: string;
  pid: number;
  /** See process-identity.ts: nothing is killed that only has the same pid. */
  mark: string;
  /** Lower stages end first: those who write to a server end before the server. */
  stage: number;
  /** What to try, in order: a signal (null: wait only, the process ends by itself) and how long to wait after it. */
  steps: readonly ReapStep[];
}

export interface ReapStep {
  signal: 'SIGTERM' | 'SIGINT' | 'SIGQUIT' | 'SIGKILL' | null;
  waitMs: number;
}

/** Lines of JSON on the reaper's standard input. */
export type ReaperMessage = { watch: Ward } | { forget: number };

export const STAGE_SERVICE = 0;
export const STAGE_NATS = 1;
export const STAGE_POSTGRES = 2;

const KILL: ReapStep = { signal: 'SIGKILL', waitMs: 1_000 };

/** Node services end by themselves when their IPC channel closes; the signal is for one that hangs. */
export const SERVICE_STEPS: readonly ReapStep[] = [{ signal: null, waitMs: 5_000 }, KILL];
export const NATS_STEPS: readonly ReapStep[] = [{ signal: 'SIGTERM', waitMs: 5_000 }, KILL];
/** SIGINT is PostgreSQL's fast shutdown (sessions are rolled back, a checkpoint written), SIGQUIT its immediate one. */
export const POSTGRES_STEPS: readonly ReapStep[] = [
  { signal: 'SIGINT', waitMs: 15_000 },
  { signal: 'SIGQUIT', waitMs: 3_000 },
  KILL,
];
