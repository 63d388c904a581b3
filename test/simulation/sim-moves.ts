import { MOVE_PHASES, type TableContent, type TableMove } from '@covey/table';
import { type Cluster, COORDINATOR } from './cluster.ts';

const LOOK_MS = 2000;
/** After the new list is read, until the old one may go: plans of the old epoch are out by then. */
const PLANS_MS = 5000;

/**
 * What the coordinator publishes: groups that change one of their members, phase by phase, and changes of order, while it is
 * there. It looks at the members themselves instead of at their reports; it goes on only when all that hold the group run, apply
 * the epoch and are full.
 */
export class SimMoves {
  readonly #cluster: Cluster;
  #sinceMs = 0;
  #stopped = false;

  constructor(cluster: Cluster) {
    this.#cluster = cluster;
    const again = () => {
      if (cluster.world.isRunning(COORDINATOR)) this.#look();
      cluster.world.after(LOOK_MS, undefined, 'coordinator', again);
    };
    cluster.world.after(LOOK_MS, undefined, 'coordinator', again);
  }

  #look(): void {
    const { world, table } = this.#cluster;
    const [move] = table.moves();
    const content = table.content();
    if (!move) {
      if (!this.#stopped && world.chance(0.15)) this.#begin(content);
    } else if (this.#mayGoOn(move)) this.#goOn(content, move);
  }

  /** Nothing new begins; what moves arrives. */
  stop(): void {
    this.#stopped = true;
  }

  #publish(content: TableContent): void {
    this.#sinceMs = this.#cluster.world.nowMs;
    this.#cluster.publish(content);
  }

  #begin(content: TableContent): void {
    const { world, size, authors } = this.#cluster;
    const group = this.#cluster.groupOf(world.between(0, authors.length - 1));
    const from = content.groups[group]!;
    const groups = [...content.groups];
    const others = Array.from({ length: size }, (_, i) => i).filter((i) => !from.members.includes(i));
    if (world.chance(0.3)) {
      // The same members in another order: no move.
      const [first, ...rest] = from.members;
      groups[group] = { ...from, members: [...rest, first!] };
      this.#publish({ ...content, groups });
      return;
    }
    const leaves = world.pick(from.members);
    const joins = world.pick(others);
    groups[group] = { ...from, members: from.members.map((member) => (member === leaves ? joins : member)) };
    this.#publish({ ...content, groups, moves: [{ group, phase: 'write-both-read-old', from }] });
  }

  #mayGoOn({ group, phase, from }: TableMove): boolean {
    const { world, table, members } = this.#cluster;
    if (
      world.nowMs - this.#sinceMs <
      (phase === 'clean-up' || phase === 'write-both-read-new' ? PLANS_MS : 500)
    )
      return false;
    return [...new Set([...from.members, ...table.group(group).members])].every((index) => {
      const member = members[index];
      const isReady = phase !== 'copy' || !member?.filling.has(group);
      return member && !world.isPaused(index) && member.table?.epoch === table.epoch && isReady;
    });
  }

  #goOn(content: TableContent, move: TableMove): void {
    const next = MOVE_PHASES[MOVE_PHASES.indexOf(move.phase) + 1];
    this.#publish({ ...content, moves: next ? [{ ...move, phase: next }] : [] });
  }
}
