import type { TableGroup } from '@covey/table';
import { newHolders } from './lists.ts';
import type { MovePolicy } from './model.ts';

/** A share of the bound that is worth a group of its own. */
const SHARE_MIN = 0.25;

/** What may set out in one step: so much at a time for each member that fills, and for each that is filled from. */
export class Wave {
  readonly #policy: MovePolicy;
  readonly #incoming: Float64Array;
  readonly #outgoing: Float64Array;
  #groups: number;

  constructor(members: number, policy: MovePolicy) {
    this.#policy = policy;
    this.#incoming = new Float64Array(members);
    this.#outgoing = new Float64Array(members);
    this.#groups = 0;
  }

  /** Counts a group that is on its way. @param filling its new holders are not known to be full yet */
  take(from: TableGroup, to: TableGroup, accounts: number, filling: boolean): void {
    this.#groups++;
    const added = newHolders(from, to);
    if (!filling || added.length === 0) return;
    for (const member of added) this.#incoming[member]! += accounts;
    for (const member of from.members) this.#outgoing[member]! += accounts;
  }

  /** How many of `accounts` may set out from one list to another now. */
  room(from: TableGroup, to: TableGroup, accounts: number): number {
    const { accountsPerMemberMax: max, groupsMax } = this.#policy;
    if (this.#groups >= groupsMax) return 0;
    const added = newHolders(from, to);
    if (added.length === 0) return accounts; // no copy is made
    let room = max;
    for (const member of added) room = Math.min(room, max - this.#incoming[member]!);
    for (const member of from.members) room = Math.min(room, 2 * max - this.#outgoing[member]!);
    if (room >= accounts) return accounts;
    return room >= max * SHARE_MIN ? Math.floor(room) : 0;
  }
}
