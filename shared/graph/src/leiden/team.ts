import { type KernelName, kernels } from './kernels.ts';
import { type Scratch, scratchFor, type Workspace } from './level.ts';

/** Who runs the shards of a step: threads that share memory, or the caller alone. */
export interface Team {
  /** more than 1: whatever is attached has to lie over SharedArrayBuffer */
  readonly threads: number;
  /** What kernels work on from now on, until the next call. */
  attach(workspace: Workspace): void;
  /** Runs a kernel for shards 0 … shards − 1, in any order, and returns when all are done. */
  run(kernel: KernelName, shards: number): void;
}

/** The caller alone. */
export function soloTeam(): Team {
  let workspace: Workspace | undefined;
  let scratch: Scratch | undefined;
  return {
    threads: 1,
    attach(next) {
      workspace = next;
      if (!scratch || scratch.linked.length < next.level.nodes) scratch = scratchFor(next.level.nodes);
    },
    run(kernel, shards) {
      for (let shard = 0; shard < shards; shard++) kernels[kernel](workspace!, scratch!, shard);
    },
  };
}
