import { MOVE_PHASES, type PlacementTable, SLOT_GROUPS, type TableGroup, type TableMove } from '@covey/table';
import type { Destination, PairDestination } from './assemble.ts';
import { appoint, EffectiveTarget, unitedMembers } from './effective-target.ts';
import { sameList, sameMembers } from './lists.ts';
import type { StepChanges, StepInput, Waiting } from './model.ts';
import { PhaseRules } from './phase-rules.ts';
import { UNKNOWN_GROUP } from './row-pairs.ts';
import { Wave } from './wave.ts';

/** Accounts that stand in the same group under the current table and under the target. */
export interface Pair {
  from: number;
  to: number;
  accounts: number;
}

/** Groups are numbered below 2²⁶, so that a pair of them is one number. */
const GROUPS_MAX = 2 ** 26;

/** A pair that wants to set out. */
interface Departure {
  pair: Pair;
  from: TableGroup;
  to: TableGroup;
  /** Lower ones first. */
  urgency: number;
}

export function pairNumber(from: number, to: number): number {
  return (from + 1) * GROUPS_MAX + (to + 1);
}

/** What one step decides: where every pair of groups and every slot is after it. */
export class Planning {
  readonly members: ReturnType<typeof unitedMembers>['members'];
  readonly destinations = new Map<number, PairDestination>();
  readonly slotDestinations = new Map<number, Destination>();
  readonly changes: StepChanges = { started: 0, advanced: 0, finished: 0, redirected: 0, accounts: 0 };
  /** Whether anything would change; else there is no need to write a table to see it. */
  changed: boolean;
  /** Nothing is left to start. */
  complete = true;
  readonly #current: PlacementTable;
  readonly #target: PlacementTable;
  readonly #moves: ReadonlyMap<number, TableMove>;
  readonly #pairsFrom: ReadonlyMap<number, readonly Pair[]>;
  readonly #input: StepInput;
  readonly #targetIndex: number[];
  readonly #effective: EffectiveTarget;
  readonly #rules: PhaseRules;
  readonly #wave: Wave;
  readonly #dead: ReadonlySet<number>;
  /** Members that are gone for good: the target does not have them, and nothing is heard of them. */
  readonly #lost: ReadonlySet<number>;
  readonly #departures: Departure[] = [];
  readonly #next = new Map<number, Destination>();
  readonly #targetLists = new Map<number, TableGroup>();
  readonly #waiting = new Map<string, Waiting>();

  constructor(
    current: PlacementTable,
    target: PlacementTable,
    moves: ReadonlyMap<number, TableMove>,
    pairsFrom: ReadonlyMap<number, readonly Pair[]>,
    input: StepInput,
    stale: ReadonlySet<string>,
  ) {
    this.#current = current;
    this.#target = target;
    this.#moves = moves;
    this.#pairsFrom = pairsFrom;
    this.#input = input;
    const united = unitedMembers(current.members, target.members);
    this.members = united.members;
    this.changed =
      united.members.length !== current.members.length ||
      current.members.some(
        (member, i) =>
          target.memberIndex(member.id) === undefined ||
          JSON.stringify(member) !== JSON.stringify(united.members[i]),
      );
    this.#targetIndex = united.targetIndex;
    const indexes = (ids: ReadonlySet<string>) =>
      new Set(united.members.flatMap(({ id }, i) => (ids.has(id) ? [i] : [])));
    this.#dead = indexes(input.dead);
    const staleIndexes = indexes(stale);
    for (const member of this.#dead) staleIndexes.add(member);
    this.#lost = new Set(
      [...staleIndexes].filter((member) => target.memberIndex(united.members[member]!.id) === undefined),
    );
    this.#effective = new EffectiveTarget(united.members, new Set([...this.#dead, ...this.#lost]));
    this.#rules = new PhaseRules(current.members, current.epoch, input, staleIndexes);
    this.#wave = new Wave(united.members.length, input.policy);
    for (const move of moves.values())
      this.#wave.take(move.from, current.group(move.group), this.#accountsIn(move.group), isEarly(move));
  }

  #accountsIn(group: number): number {
    if (group < SLOT_GROUPS) return this.#input.policy.slotAccounts;
    return (this.#pairsFrom.get(group) ?? []).reduce((sum, { accounts }) => sum + accounts, 0);
  }

  /** The list that the target gives, in indexes of the step's members. */
  #wanted(group: number): TableGroup {
    let list = this.#targetLists.get(group);
    if (!list) {
      const { members, ...rest } = this.#target.group(group);
      list = { ...rest, members: members.map((member) => this.#targetIndex[member]!) };
      this.#targetLists.set(group, list);
    }
    return list;
  }

  /**
   * The list that accounts go to.
   * @param group where they are
   * @param to where the target has them
   * @param held the list that is read now
   * @param bound the group's own list, which they may be on their way to
   */
  #goal(group: number, to: number, held: TableGroup, bound: TableGroup): TableGroup {
    if (to !== UNKNOWN_GROUP) return this.#effective.list(group, this.#wanted(to), held, bound);
    // A key that nobody knows: it stays where it is, as far as those members stay.
    const usable = (member: number) => this.members[member]!.state === 'active' && !this.#lost.has(member);
    if (bound.members.every(usable)) return bound;
    const staying = held.members.filter(usable);
    const writers = staying.slice(0, held.copies);
    const more = appoint(
      group,
      writers,
      this.members,
      (m) => usable(m) && !this.#dead.has(m),
      held.copies - writers.length,
    );
    const members = [...writers, ...more];
    return members.length > 0 ? { ...held, members, copies: members.length } : held;
  }

  /** Where the accounts of a pair are after this step; what wants to set out is put by. */
  decide(pair: Pair): void {
    const destination = this.#destination(pair);
    const stays = pair.from < SLOT_GROUPS ? destination.kind === 'unlisted' : destination.kind === 'group';
    if (!stays) this.changed = true;
    this.destinations.set(pairNumber(pair.from, pair.to), {
      first: destination,
      accounts: pair.accounts,
      rest: destination,
    });
  }

  #destination(pair: Pair): Destination {
    const { from, to } = pair;
    const move = this.#moves.get(from);
    if (from === UNKNOWN_GROUP) {
      this.complete = false; // its slot is not known: it is listed once its key is
      return { kind: 'unlisted' };
    }
    if (from < SLOT_GROUPS) return this.#list(pair, move);
    const list = this.#current.group(from);
    if (move) return this.#goOn(pair, move, list);
    const goal = this.#goal(from, to, list, list);
    if (to >= 0 && to < SLOT_GROUPS && !this.#moves.has(to) && sameMembers(list, this.#current.group(to)))
      return { kind: 'unlisted' };
    return this.#rest(pair, list, goal);
  }

  /** Accounts of a group that rests. */
  #rest(pair: Pair, list: TableGroup, goal: TableGroup): Destination {
    const stay: Destination =
      pair.from < SLOT_GROUPS ? { kind: 'unlisted' } : { kind: 'group', group: pair.from };
    if (sameMembers(list, goal)) {
      const same = sameList(list, goal) && pair.from >= SLOT_GROUPS;
      return same || pair.to === UNKNOWN_GROUP ? stay : { kind: 'list', list: goal };
    }
    if (this.#isLost(list)) return { kind: 'list', list: goal };
    this.#want(pair, list, goal);
    return stay;
  }

  /** All copies are gone for good: there is nothing to copy, and nobody to wait for. */
  #isLost(list: TableGroup): boolean {
    return list.members.every((member) => this.#lost.has(member));
  }

  #want(pair: Pair, from: TableGroup, to: TableGroup): void {
    this.complete = false;
    const urgency = from.members.some((m) => this.#dead.has(m) || this.#lost.has(m))
      ? 0
      : from.members.some((m) => this.members[m]!.state === 'draining')
        ? 1
        : 2;
    const { quiet, nowMs, targetSinceMs, policy } = this.#input;
    const hub = urgency === 2 && (from.hub || to.hub);
    if (hub && !quiet && nowMs - targetSinceMs < policy.hubWaitMs) this.#wait('start', 'quiet', []);
    else this.#departures.push({ pair, from, to, urgency });
  }

  /** An account that the current table does not list and the target does: it comes from its slot's members. */
  #list(pair: Pair, move: TableMove | undefined): Destination {
    if (move) {
      this.complete = false;
      return { kind: 'unlisted' }; // until its slot rests
    }
    const list = this.#current.group(pair.from);
    return this.#rest(pair, list, this.#goal(pair.to, pair.to, list, list));
  }

  /** Accounts of a group that is moving. */
  #goOn(pair: Pair, move: TableMove, list: TableGroup): Destination {
    const goal = this.#goal(pair.from, pair.to, move.from, list);
    const arrived = sameMembers(list, goal);
    if (!arrived && isEarly(move)) {
      const turn = this.#redirect(pair, move, list, goal);
      if (turn) return turn;
    }
    const next = this.#advance(move, list);
    if (next.kind !== 'list') return next;
    if (!arrived) this.complete = false;
    return arrived && pair.to !== UNKNOWN_GROUP ? { kind: 'list', list: goal } : next;
  }

  /** Before the new list is read, a group turns back, or sets out for another list from where it is read. */
  #redirect(pair: Pair, move: TableMove, list: TableGroup, goal: TableGroup): Destination | undefined {
    if (sameMembers(move.from, goal)) {
      // Written to and read all along: it is full, unless a member of it was away.
      if (!this.#rules.full(move.group, move.from)) return undefined;
      this.changes.redirected++;
      return { kind: 'move', source: move.group, from: list, list: goal, phase: 'write-both-read-new' };
    }
    this.changes.redirected++;
    return { kind: 'move', source: pair.from, from: move.from, list: goal, phase: 'write-both-read-old' };
  }

  /** The group's own next step, for all accounts in it that do not turn. */
  #advance(move: TableMove, list: TableGroup): Destination {
    const known = this.#next.get(move.group);
    if (known) return known;
    const next = this.#advanced(move, list);
    this.#next.set(move.group, next);
    return next;
  }

  #advanced(move: TableMove, list: TableGroup): Destination {
    const { group, phase } = move;
    const verdict = this.#isLost(move.from) && phase !== 'clean-up' ? 'go' : this.#rules.verdict(move, list);
    if (verdict !== 'go') {
      this.#wait(phase, verdict.reason, verdict.members);
      return { kind: 'group', group };
    }
    if (phase === 'clean-up') {
      this.changes.finished++;
      return { kind: 'list', list };
    }
    this.changes.advanced++;
    const following = MOVE_PHASES[MOVE_PHASES.indexOf(phase) + 1]!;
    return { kind: 'move', source: group, from: move.from, list, phase: following };
  }

  /** Slots keep their numbers, and go through the same phases. */
  slots(): void {
    for (let slot = 0; slot < SLOT_GROUPS; slot++) {
      const list = this.#current.group(slot);
      const move = this.#moves.get(slot);
      const goal = this.#goal(slot, slot, move?.from ?? list, list);
      const pair = { from: slot, to: slot, accounts: this.#input.policy.slotAccounts };
      if (move) {
        const turn = isEarly(move) && !sameMembers(list, goal) && this.#redirect(pair, move, list, goal);
        const next = turn || this.#advance(move, list);
        if (next.kind !== 'group') this.changed = true;
        this.slotDestinations.set(
          slot,
          next.kind === 'list' && sameMembers(next.list, goal) ? { kind: 'list', list: goal } : next,
        );
      } else if (sameMembers(list, goal) || this.#isLost(list)) {
        if (sameList(list, goal)) continue;
        this.changed = true;
        this.slotDestinations.set(slot, { kind: 'list', list: goal });
      } else this.#want(pair, list, goal);
    }
  }

  /** Lets set out what there is room for, the most urgent first. */
  depart(): void {
    this.#departures.sort(
      (a, b) => a.urgency - b.urgency || a.pair.from - b.pair.from || a.pair.to - b.pair.to,
    );
    for (const { pair, from, to } of this.#departures) {
      const isSlot = pair.from < SLOT_GROUPS && pair.to === pair.from;
      const room = this.#wave.room(from, to, pair.accounts);
      const accounts = isSlot && room < pair.accounts ? 0 : room;
      if (accounts === 0) {
        this.#wait('start', 'bounds', []);
        continue;
      }
      this.#wave.take(from, to, accounts, true);
      const destination: Destination = {
        kind: 'move',
        source: pair.from < SLOT_GROUPS && !isSlot ? undefined : pair.from,
        from,
        list: to,
        phase: 'write-both-read-old',
      };
      this.changed = true;
      this.changes.started++;
      this.changes.accounts += isSlot ? 0 : accounts;
      if (isSlot) this.slotDestinations.set(pair.from, destination);
      else {
        const stay = this.destinations.get(pairNumber(pair.from, pair.to))!.rest;
        this.destinations.set(pairNumber(pair.from, pair.to), { first: destination, accounts, rest: stay });
      }
    }
  }

  #wait(phase: Waiting['phase'], reason: Waiting['reason'], members: readonly string[]): void {
    const key = `${phase}/${reason}`;
    const known = this.#waiting.get(key);
    if (!known) {
      this.#waiting.set(key, { phase, reason, groups: 1, members: [...members] });
      return;
    }
    known.groups++;
    for (const member of members) if (!known.members.includes(member)) known.members.push(member);
  }

  waiting(): Waiting[] {
    return [...this.#waiting.values()];
  }
}

/** The old list is read still, and the new one need not be full. */
function isEarly({ phase }: TableMove): boolean {
  return phase === 'write-both-read-old' || phase === 'copy';
}
