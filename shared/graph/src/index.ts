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
  reverseGraph,
  undirected,
} from './csr.ts';
export { type EdgeList, EdgeListError, EdgeListParser, parseEdgeList } from './edge-list.ts';
export { type GroupGraph, groupGraph } from './group-graph.ts';
export { modularity } from './modularity.ts';
export { seededRng, seededUint32 } from './rng.ts';
