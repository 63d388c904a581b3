export {
  type Communities,
  type CommunityEngine,
  type DetectOptions,
  detectCommunities,
  numberBySize,
} from './communities.ts';
export {
  type BuiltGraph,
  buildGraph,
  type FollowGraph,
  followerCounts,
  GRAPH_SIZE_MAX,
  GraphSizeError,
  release,
  reverseGraph,
} from './csr.ts';
export { type GraphDelta, GraphDeltaError } from './delta.ts';
export { applyDelta } from './delta-apply.ts';
export { type EdgeList, EdgeListError, EdgeListParser, parseEdgeList } from './edge-list.ts';
export { type GeneratedGraph, GenerateError, type GenerateOptions, generateFollows } from './generate.ts';
export { type GroupGraph, groupGraph } from './group-graph.ts';
export { type KernelName, kernelNames, kernels } from './leiden/kernels.ts';
export { type Scratch, scratchFor, type Workspace } from './leiden/level.ts';
export { soloTeam, type Team } from './leiden/team.ts';
export { type MemoryPlan, memoryPlan, type PlannedRun } from './memory-plan.ts';
export { modularity } from './modularity.ts';
export { seededRng, seededUint32 } from './rng.ts';
export { type SymmetricGraph, type SymmetricOptions, symmetricGraph, undirected } from './symmetric.ts';
export { type Admission, admit } from './trust/admit.ts';
export { edgeWeights, readerWeights, WEIGHT_ONE } from './trust/edge-weights.ts';
export { RANK_ONE, type RankOptions, rankAccounts, type TrustRanks } from './trust/rank-accounts.ts';
export { shiftBound } from './trust/shift-bound.ts';
