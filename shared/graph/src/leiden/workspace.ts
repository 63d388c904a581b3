import { release } from '../csr.ts';
import { type Allocator, type Level, slots, type Workspace } from './level.ts';

/**
 * Memory for all levels of all passes, taken once: the base has arrays of its own, the levels above take turns in two
 * sets as large as the base. What a level does not fill is never touched, so it costs addresses and no memory.
 */
export class WorkspacePool {
  readonly #alloc: Allocator;
  readonly #base: Level;
  readonly #sets: (Workspace | undefined)[] = [];
  readonly #floats: boolean;

  /** @param floats weights of levels above are sums that may pass 2³² */
  constructor(base: Level, alloc: Allocator, floats: boolean) {
    this.#base = base;
    this.#alloc = alloc;
    this.#floats = floats;
  }

  /** The workspace of the base (depth 0) or of a level above. */
  at(depth: number, level: Level): Workspace {
    const set = depth === 0 ? 0 : 1 + (depth & 1);
    const full = (this.#sets[set] ??= makeWorkspace(this.#base, this.#alloc));
    const { nodes } = level;
    return {
      level,
      communityOf: full.communityOf.subarray(0, nodes),
      communityDegree: full.communityDegree.subarray(0, nodes),
      order: full.order.subarray(0, nodes),
      waiting: full.waiting.subarray(0, nodes),
      wish: full.wish,
      wishLinks: full.wishLinks,
      grouped: full.grouped.subarray(0, nodes),
      groupStarts: full.groupStarts,
      refined: full.refined.subarray(0, nodes),
      subDegree: full.subDegree.subarray(0, nodes),
      joined: full.joined.subarray(0, nodes),
      single: full.single.subarray(0, nodes),
      shardStarts: full.shardStarts,
      up: null,
      numbers: full.numbers,
    };
  }

  /** An empty level of so many nodes for the place above `depth`, with room for all row entries of `below`. */
  above(depth: number, below: Level, nodes: number): Level {
    const set = 1 + ((depth + 1) & 1);
    const rows = (this.#rows[set] ??= {
      starts: this.#alloc.uint32(this.#base.nodes),
      ends: this.#alloc.uint32(this.#base.nodes),
      degrees: this.#alloc.float64(this.#base.nodes),
      // The second set holds a level made from a level above the base: room for the first of those is enough.
      targets: this.#alloc.uint32(below.entries),
      weights: this.#floats ? this.#alloc.float64(below.entries) : this.#alloc.uint32(below.entries),
    });
    if (rows.targets.length < below.entries) {
      rows.targets = this.#alloc.uint32(below.entries);
      rows.weights = this.#floats ? this.#alloc.float64(below.entries) : this.#alloc.uint32(below.entries);
    }
    return {
      nodes,
      entries: below.entries,
      starts: rows.starts.subarray(0, nodes),
      ends: rows.ends.subarray(0, nodes),
      degrees: rows.degrees.subarray(0, nodes),
      targets: rows.targets,
      weights: rows.weights,
    };
  }

  /** Gives all memory back; workspaces and levels from here must not be used afterwards. */
  release(): void {
    for (const set of this.#sets) {
      if (!set) continue;
      for (const value of Object.values(set)) if (ArrayBuffer.isView(value)) release(value as Uint32Array);
    }
    for (const rows of this.#rows)
      if (rows) release(...Object.values(rows).filter((value) => value !== null));
  }

  readonly #rows: (Pick<Level, 'starts' | 'ends' | 'degrees' | 'targets' | 'weights'> | undefined)[] = [];
}

/** A step is cut into about so many shards, whatever the number of threads. */
export const shardsWanted = 64;

function makeWorkspace(base: Level, alloc: Allocator): Workspace {
  const { nodes } = base;
  return {
    level: base,
    communityOf: alloc.uint32(nodes),
    communityDegree: alloc.float64(nodes),
    order: alloc.uint32(nodes),
    waiting: alloc.uint8(nodes),
    wish: alloc.uint32(nodes),
    wishLinks: alloc.float64(nodes),
    grouped: alloc.uint32(nodes),
    groupStarts: alloc.uint32(nodes + 1),
    refined: alloc.uint32(nodes),
    subDegree: alloc.float64(nodes),
    joined: alloc.float64(nodes),
    single: alloc.uint8(nodes),
    shardStarts: alloc.uint32(2 * shardsWanted + 2),
    up: null,
    numbers: alloc.float64(Object.keys(slots).length),
  };
}
