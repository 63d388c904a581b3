/**
 * An undirected weighted graph on which communities are moved, refined and aggregated: symmetric rows, loops apart.
 * Threads share the arrays where these lie over SharedArrayBuffer.
 *
 * Row u is `targets[starts[u] .. ends[u])`; rows need not touch each other.
 */
export interface Level {
  nodes: number;
  /** bound on row entries, for the sizes of what is made from this level */
  entries: number;
  starts: Uint32Array;
  ends: Uint32Array;
  targets: Uint32Array;
  /** of each row entry; all 1 where null. Floats where the sum of all passes 2³² */
  weights: Uint32Array | Float64Array | null;
  /** Σ of row weights plus twice the loops */
  degrees: Float64Array;
}

/** Everything that kernels read and write: one level with its communities, and the level made from it. */
export interface Workspace {
  level: Level;
  /** community of each node, below `level.nodes` */
  communityOf: Uint32Array;
  /** Σ of degrees by community */
  communityDegree: Float64Array;
  /** nodes in random order */
  order: Uint32Array;
  /** 1 for nodes whose surroundings have changed since they were looked at */
  waiting: Uint8Array;
  /** by place in the batch: where the node wants to go (`stays`, `alone`), and what it gains in weight of its links */
  wish: Uint32Array;
  wishLinks: Float64Array;
  /** nodes of each community lie together: `grouped[groupStarts[c] .. groupStarts[c + 1])` */
  grouped: Uint32Array;
  groupStarts: Uint32Array;
  /** sub-community of each node, a node's number, later dense */
  refined: Uint32Array;
  subDegree: Float64Array;
  /** weight between a sub-community and the rest of its community */
  joined: Float64Array;
  /** 1 for nodes that no other has joined and that have joined no other */
  single: Uint8Array;
  /** first group (community or sub-community) of each shard */
  shardStarts: Uint32Array;
  /** the level to be made, by `aggregate` */
  up: Level | null;
  /** {@link slots} */
  numbers: Float64Array;
}

/** Places in `numbers`: scalars that change between steps and that threads have to see. */
export const slots = {
  /** resolution / Σ of all weights */
  scale: 0,
  /** the present batch is `order[batchStart .. batchEnd)` */
  batchStart: 1,
  batchEnd: 2,
  /** nodes of the batch for one shard */
  batchShard: 3,
  /** decides between sub-communities of equal gain */
  seed: 4,
  /** gains that differ by less are equal */
  tie: 5,
  count: 6,
} as const;

export const stays = 0xffffffff;
export const alone = 0xfffffffe;

/** What one thread needs for itself, kept clean between uses. */
export interface Scratch {
  /** weight towards a community or sub-community */
  linked: Float64Array;
  /** those with weight, to find and to clear them */
  seen: Uint32Array;
  /** place of a sub-community in the row being made; no need to clear it */
  at: Uint32Array;
}

export function scratchFor(nodes: number): Scratch {
  return { linked: new Float64Array(nodes), seen: new Uint32Array(nodes), at: new Uint32Array(nodes) };
}

/** Zeroed arrays, over shared memory when threads are to see them. */
export interface Allocator {
  uint32(length: number): Uint32Array;
  float64(length: number): Float64Array;
  uint8(length: number): Uint8Array;
}

export function allocator(shared: boolean): Allocator {
  const bytes = (size: number): ArrayBuffer | SharedArrayBuffer =>
    shared ? new SharedArrayBuffer(size) : new ArrayBuffer(size);
  return {
    uint32: (length) => new Uint32Array(bytes(length * 4)),
    float64: (length) => new Float64Array(bytes(length * 8)),
    uint8: (length) => new Uint8Array(bytes(length)),
  };
}
