import type { PlacementTable, TableMove } from '@covey/table';
import { assemble } from './assemble.ts';
import { sameList } from './lists.ts';
import type { Step, StepInput } from './model.ts';
import { type Pair, Planning, pairNumber } from './planning.ts';
import { type KeyOf, RowPairs } from './row-pairs.ts';
import { staleMembers } from './stale.ts';

/**
 * Plans the way from the current table to a target, one epoch at a time: which groups go on to their next phase, which
 * arrive, which turn back, and which set out. Accounts that go from one list to another in the same step share a group;
 * once they arrived they join the group that has that list. Nothing is remembered between steps but the table itself and the
 * epochs in which its groups came to their phases, so that a coordinator may die at any point.
 */
export class StepPlanner {
  readonly #current: PlacementTable;
  readonly #target: PlacementTable;
  readonly #rows: RowPairs;
  readonly #pairs: Pair[];
  readonly #pairsFrom = new Map<number, Pair[]>();
  readonly #moves = new Map<number, TableMove>();

  /** Reads both tables once: some 100 ms for a million accounts. `plan` is cheap while there is nothing to do. */
  constructor(current: PlacementTable, target: PlacementTable, keyOf: KeyOf) {
    this.#current = current;
    this.#target = target;
    this.#rows = new RowPairs(current, target, keyOf);
    const pairs = new Map<number, Pair>();
    this.#rows.forEach((_bytes, _at, _whole, from, to) => {
      const number = pairNumber(from, to);
      const pair = pairs.get(number);
      if (pair) pair.accounts++;
      else pairs.set(number, { from, to, accounts: 1 });
    });
    this.#pairs = [...pairs.values()].sort((a, b) => a.from - b.from || a.to - b.to);
    for (const pair of this.#pairs) {
      const list = this.#pairsFrom.get(pair.from);
      if (list) list.push(pair);
      else this.#pairsFrom.set(pair.from, [pair]);
    }
    for (const move of current.moves()) this.#moves.set(move.group, move);
  }

  plan(input: StepInput): Step {
    if (input.paused) return { kind: 'wait', reason: 'paused', waiting: [] };
    const { members } = this.#current;
    const stale = staleMembers(members, input.reports, input.nowMs, input.policy);
    const silent = members.filter(({ id }) => stale.has(id) && !input.dead.has(id)).length;
    const alive = members.filter(({ id }) => !input.dead.has(id)).length;
    if (silent * 2 > alive) return { kind: 'wait', reason: 'cut off', waiting: [] };
    const planning = new Planning(this.#current, this.#target, this.#moves, this.#pairsFrom, input, stale);
    for (const pair of this.#pairs) planning.decide(pair);
    planning.slots();
    planning.depart();
    const { changes } = planning;
    const content =
      planning.changed &&
      assemble({
        current: this.#current,
        rows: this.#rows,
        members: planning.members,
        kept: new Set(this.#target.members.map(({ id }) => id)),
        slots: planning.slotDestinations,
        destinationOf: (from, to) => planning.destinations.get(pairNumber(from, to)),
        pairsFrom: (group) => this.#pairsFrom.get(group) ?? [],
      });
    const waiting = planning.waiting();
    if (!content)
      return this.#moves.size === 0 && planning.complete
        ? { kind: 'done' }
        : { kind: 'wait', reason: 'moves', waiting };
    const phases = new Map<number, number>();
    const before = this.#moves;
    for (const move of content.moves) {
      const was = before.get(move.group);
      const stays =
        was !== undefined &&
        was.phase === move.phase &&
        sameList(this.#current.group(move.group), content.groups[move.group]!);
      phases.set(
        move.group,
        stays ? (input.phases.get(move.group) ?? this.#current.epoch) : this.#current.epoch + 1,
      );
    }
    return { kind: 'step', content, phases, changes, waiting };
  }
}
