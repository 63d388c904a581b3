import { applyDelta, deltaHeader, encodeTable, PlacementTable } from '@covey/table';
import { COORDINATOR } from './cluster.ts';
import type { Message } from './messages.ts';
import type { SimMember } from './sim-member.ts';

const ASK_MS = 5000;

/** How a member follows the table: deltas in their order, the whole table where there is a gap, and never an older one. */
export class SimTables {
  readonly #member: SimMember;
  #askedAtMs = 0;

  constructor(member: SimMember) {
    this.#member = member;
  }

  /** It may have missed one while it was away; it asks now and then. */
  start(): void {
    const { world, index } = this.#member;
    const again = () => {
      this.#ask();
      world.after(ASK_MS, index, 'ask for the table', again);
    };
    world.after(world.between(1, ASK_MS), index, 'ask for the table', again);
  }

  #ask(): void {
    this.#askedAtMs = this.#member.world.nowMs;
    this.#member.send(COORDINATOR, { type: 'want table' });
  }

  receive(message: Extract<Message, { type: 'table' | 'delta' }>): void {
    const { cluster, table: current } = this.#member;
    const known = current?.epoch ?? 0;
    const isOld = message.epoch <= known;
    if (message.epoch === known || (isOld && !cluster.without.has('epochs rise'))) return;
    const table = message.type === 'table' ? new PlacementTable(message.bytes) : this.#after(message.bytes);
    if (!table) return;
    this.#member.commit({ table }, () => {
      if (table.epoch > (this.#member.table?.epoch ?? 0) || cluster.without.has('epochs rise'))
        this.#member.apply(table);
    });
  }

  #after(delta: Uint8Array): PlacementTable | undefined {
    const { cluster, table, world } = this.#member;
    const { from, to } = deltaHeader(delta);
    if (table && table.epoch === from) return applyDelta(table, delta); // which checks both roots
    if (table && cluster.without.has('delta base'))
      return new PlacementTable(encodeTable({ ...table.content(), epoch: to }));
    if (world.nowMs - this.#askedAtMs > 500) this.#ask();
    return undefined;
  }
}
