/**
 * How the threads of a team hand out shards, in one shared Int32Array. A ticket holds the generation of the step (upper 16
 * bits) and the next shard; who raises it by one has that shard. What belongs to a step is written before its
 * ticket, and the next step begins only when all shards are done, so a thread that raised a ticket of a generation has
 * read what belongs to it.
 */
export const control = {
  ticket: 0,
  /** index into `kernelNames` */
  kernel: 1,
  shards: 2,
  /** workspaces attached so far; a thread takes messages until it has this one */
  attached: 3,
  done: 4,
  /** 1 when a shard threw */
  failed: 5,
  /** 1 when the team is closed */
  closed: 6,
  /** rises when a step is ready to be taken up: what idle threads wait for */
  ready: 7,
  /** workers that have started */
  started: 8,
  slots: 9,
} as const;

export const SHARDS_MAX = 65535;

/** Takes the next shard of the present step; −1 when none is left. */
export function takeShard(state: Int32Array): number {
  for (;;) {
    const ticket = Atomics.load(state, control.ticket);
    const shard = ticket & SHARDS_MAX;
    if (shard >= Atomics.load(state, control.shards)) {
      // The step may have changed between the two loads.
      if (Atomics.load(state, control.ticket) === ticket) return -1;
      continue;
    }
    if (Atomics.compareExchange(state, control.ticket, ticket, ticket + 1) === ticket) return shard;
  }
}
