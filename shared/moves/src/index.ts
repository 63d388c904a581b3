export { AppliedTimes } from './applied-times.ts';
export { checkStep, IllegalStepError } from './check-step.ts';
export {
  DEFAULT_MOVE_POLICY,
  type MemberReport,
  type MovePolicy,
  type PhaseEpochs,
  type Step,
  type StepChanges,
  type StepInput,
  type Waiting,
} from './model.ts';
export { countMoves, type MoveCounts } from './move-counts.ts';
export { type KeyOf, prefixesInOneTable, RowPairs, UNKNOWN_GROUP } from './row-pairs.ts';
export { isStale, staleMembers } from './stale.ts';
export { StepPlanner } from './step-planner.ts';
