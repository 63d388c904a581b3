export { type Balances, type EvaluateOptions, type Evaluation, evaluate, sampleReaders } from './evaluate.ts';
export {
  type AccountExplanation,
  EXPLAINED_ALTERNATIVES_MAX,
  EXPLAINED_MEMBERS_MAX,
  type ExplainedLoad,
  PlacementExplainer,
} from './explain.ts';
export {
  explainMoves,
  MOVE_REASONS,
  type MoveReason,
  type MovesExplained,
  type MovesProblem,
} from './explain-moves.ts';
export { exp2Fixed, log2Fixed, negLn } from './fixed-log.ts';
export { moved } from './moved.ts';
export { type PlaceProgress, place } from './place.ts';
export { type Plan, type PlanProblem, planRelays } from './plan.ts';
export { movePrices, PRICE_ONE, priceOf } from './prices.ts';
export {
  type Effort,
  type HubPolicy,
  InfeasiblePlacementError,
  InvalidProblemError,
  type MemberCapacity,
  noGroup,
  type PlacedGroup,
  type Placement,
  type PlacementMember,
  type PlacementProblem,
  type PreviousPlacement,
  type Shortfall,
} from './problem.ts';
export { memberNumber, openScore, readerNumber, readScore } from './reader-rule.ts';
export { rendezvous, type WeightedMember, weightMax } from './rendezvous.ts';
export { placeSlots, SLOTS, slotOf } from './slots.ts';
export {
  type Trust,
  type TrustedGraph,
  trustedGraph,
  trustedPrevious,
  trustOf,
  untrustedPlaced,
} from './trust.ts';
