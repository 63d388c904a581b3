import type { Enforcer } from '@covey/enforcement';
import { RowPairs, UNKNOWN_GROUP } from '@covey/moves';
import { FILLING_MAX } from '@covey/protocol';
import { type MovePhase, type PlacementTable, SLOT_GROUPS, type TableMove } from '@covey/table';

interface Fill {
  /** Members (ids) that what they have was taken from. */
  sources: Set<string>;
  /** Members (ids) of the list that the group leaves, when this member is new in it; undefined: it was a holder before. */
  from: readonly string[] | undefined;
  /** Not all writers write to this member yet: what is taken now may miss what they write meanwhile. */
  early: boolean;
  /** This member was away, and may have missed something; else the group is new here. */
  missed: boolean;
}

/** What is being filled when a comparison with another member begins: what it may count for. */
export type FillSession = ReadonlyMap<number, unknown>;

/**
 * Epochs in which an account of a group that rests can't leave a member and come back: four until the member is written to no
 * more, one in which it rests, one that writes to the member again.
 */
const ROUND_TRIP_EPOCHS = 5;

/**
 * Which groups this member's copy may be incomplete of: all that it shares with others after a start, for it was away, and
 * what a new table gives it. Groups change from table to table; what counts is where their accounts were. A group is full
 * again when everything was taken from one holder that is full itself, or from every other holder that can be reached; a
 * group that moves here, from every member of its old list that can be reached, once all writers write here too (`copy`); one
 * that this member was appointed for in place of a dead one, from every holder that can be reached, one of the table among
 * them, as those appointed with it began with nothing too.
 */
export class Filling {
  readonly #groups = new Map<number, Fill>();
  /** Called when what this member missed while it was away is here. */
  onCaughtUp: () => void = () => {};
  /** Members (ids) that hold anything that is held here. */
  peers: ReadonlySet<string> = new Set();
  #enforcer: Enforcer | undefined;
  #table: PlacementTable | undefined;
  #moves = new Map<number, TableMove>();

  /** Whether a group is being filled, or any for −1. */
  has = (group: number): boolean => (group < 0 ? this.#groups.size > 0 : this.#groups.has(group));

  /** Groups that are being filled. */
  get size(): number {
    return this.#groups.size;
  }

  get groups(): number[] {
    return [...this.#groups.keys()];
  }

  /** Moving groups that are being filled, for a heartbeat. */
  get moving(): { groups: number[]; more: boolean } {
    const groups = [...this.#moves.keys()].filter((group) => this.#groups.has(group));
    return { groups: groups.slice(0, FILLING_MAX), more: groups.length > FILLING_MAX };
  }

  /** Groups held here of which something may have been missed while this member was away. */
  get missed(): number {
    let count = 0;
    for (const { missed } of this.#groups.values()) if (missed) count++;
    return count;
  }

  /** This member was away, or may have been: everything that it shares with others has to be compared again. */
  restart(): void {
    const enforcer = this.#enforcer;
    this.#enforcer = undefined;
    this.#groups.clear();
    if (enforcer) this.update(enforcer);
  }

  /**
   * Events for this member wait at `member`, which can't bring them: of what the two share, something may be missing here.
   * What is being filled from an old list already goes on as it is.
   * @returns whether nothing of it was being filled before
   */
  behind(member: string): boolean {
    const index = this.#table?.memberIndex(member);
    if (index === undefined) return false;
    const before = this.missed;
    for (const { group, others } of this.#enforcer!.held())
      if (others.includes(index) && !this.#groups.get(group)?.from)
        this.#groups.set(group, { sources: new Set(), from: undefined, early: false, missed: true });
    return before === 0 && this.missed > 0;
  }

  /**
   * Under a new table or verdict: what is new here has to be filled, what went is forgotten.
   * @returns whether, under the same table, some group is held here no longer
   */
  update(enforcer: Enforcer): boolean {
    const before = this.#enforcer;
    const table = enforcer.table;
    const sameTable = before !== undefined && before.table === table;
    this.#moves = new Map(table?.moves().map((move) => [move.group, move]));
    const heldBefore = new Set(sameTable ? before.held().map(({ group }) => group) : []);
    const missing = sameTable
      ? this.#newlyHeld(enforcer, heldBefore)
      : table && before?.table && this.#missing(before.table, table, before, enforcer.self);
    this.#enforcer = enforcer;
    this.#table = table;
    const fills = new Map<number, Fill>();
    const peers = new Set<number>();
    for (const { group, others } of enforcer.held()) {
      heldBefore.delete(group);
      for (const other of others) peers.add(other);
      if (others.length === 0) continue;
      const known = missing?.get(group);
      if (missing && !known) continue;
      fills.set(group, this.#fill(group, known === 'fresh' ? undefined : known, before === undefined));
    }
    this.#groups.clear();
    for (const [group, fill] of fills) this.#groups.set(group, fill);
    this.peers = new Set([...peers].map((index) => table!.members[index]!.id));
    if (this.missed === 0) this.onCaughtUp();
    return heldBefore.size > 0;
  }

  /** Under the same table: what a death gave this member, and what was being filled. */
  #newlyHeld(enforcer: Enforcer, before: ReadonlySet<number>): Map<number, Fill | 'fresh'> {
    const missing = new Map<number, Fill | 'fresh'>(this.#groups);
    for (const { group } of enforcer.held()) if (!before.has(group)) missing.set(group, 'fresh');
    return missing;
  }

  /**
   * @param known how far it is already, when the same group was being filled before
   * @param missed this member was away
   */
  #fill(group: number, known: Fill | undefined, missed: boolean): Fill {
    const move = this.#moves.get(group);
    const ids = (list: readonly number[]) => list.map((index) => this.#table!.members[index]!.id);
    const { self } = this.#enforcer!;
    const from =
      move && isBeforeRead(move.phase) && !move.from.members.includes(self)
        ? ids(move.from.members)
        : undefined;
    const early = from !== undefined && move!.phase === 'write-both-read-old';
    const goesOn = known && known.early === early && known.from?.join() === from?.join();
    if (goesOn) return known;
    // What moves here was never here: it is no part of catching up, and may have to wait for a coordinator that is gone.
    const wasHere = from === undefined;
    return { sources: new Set(), from, early, missed: wasHere && (missed || known?.missed === true) };
  }

  /**
   * Groups of the new table that hold an account whose group was not held here under the old one (`fresh`), was being
   * filled, or may have left and come back between the two. After many epochs everything may have: it is looked at again, as
   * after a start.
   */
  #missing(
    old: PlacementTable,
    table: PlacementTable,
    before: Enforcer,
    self: number,
  ): Map<number, Fill | 'fresh'> | undefined {
    const steps = table.epoch - old.epoch;
    if (steps > ROUND_TRIP_EPOCHS) return undefined;
    const missing = new Map<number, Fill | 'fresh'>();
    const held = new Set(before.held().map(({ group }) => group));
    for (const move of old.moves()) if (steps > stepsHeld(move, old, before.self)) held.delete(move.group);
    const seen = new Set<number>();
    const look = (from: number, to: number) => {
      const pair = (from + 1) * 2 ** 26 + to;
      if (to === UNKNOWN_GROUP || seen.has(pair)) return; // what is no longer listed is in a slot now
      seen.add(pair);
      if (from === UNKNOWN_GROUP) {
        // Listed from a slot, which slot is not known: at once only where the slot's members are its members.
        const move = this.#moves.get(to);
        if (steps !== 1 || (move && !move.from.members.includes(self))) missing.set(to, 'fresh');
        return;
      }
      const fill = this.#groups.get(from);
      if (!held.has(from) || (fill && from !== to)) missing.set(to, 'fresh');
      else if (fill && !missing.has(to)) missing.set(to, fill);
    };
    for (let slot = 0; slot < SLOT_GROUPS; slot++) look(slot, slot);
    new RowPairs(old, table, () => undefined).forEach((_bytes, _at, _whole, from, to) => {
      look(from, to);
    });
    return missing;
  }

  /**
   * Members (ids) that hold what is being filled here and were not asked yet, those of the most groups first.
   * @param frozen nothing that moves may start: the time of the table for that is over
   */
  wanted(frozen = false): string[] {
    const counts = new Map<string, number>();
    for (const [group, fill] of this.#groups) {
      if (fill.early || (frozen && fill.from && fill.sources.size === 0)) continue;
      for (const id of this.#holders(group, fill))
        if (!fill.sources.has(id)) counts.set(id, (counts.get(id) ?? 0) + 1);
    }
    return [...counts].sort((a, b) => b[1] - a[1]).map(([id]) => id);
  }

  /** Who has what is to be taken. */
  #holders(group: number, { from }: Fill): readonly string[] {
    if (from) return from;
    const members = this.#table?.members ?? [];
    return this.#enforcer!.othersOfGroup(group).map((index) => members[index]!.id);
  }

  /** Whether a comparison that began then counts for all that is wanted of `member` now. */
  covers(session: FillSession, member: string): boolean {
    return [...this.#groups].every(
      ([group, fill]) =>
        fill.early ||
        fill.sources.has(member) ||
        session.get(group) === fill ||
        !this.#holders(group, fill).includes(member),
    );
  }

  /** Call it when a comparison begins. */
  begin(): FillSession {
    return new Map([...this.#groups].filter(([, fill]) => !fill.early));
  }

  /**
   * Everything that `member` shares with this one was taken from it.
   * @param full it is not filling anything itself that the two share
   * @param reachable whether another member can be reached now
   * @param session what was being filled when that began
   */
  taken(member: string, full: boolean, reachable: (member: string) => boolean, session: FillSession): void {
    const missed = this.missed;
    for (const [group, fill] of this.#groups) {
      if (session.get(group) !== fill) continue;
      const holders = this.#holders(group, fill);
      if (!holders.includes(member)) continue;
      fill.sources.add(member);
      // One that was appointed was not written to until now: what was on its way to one holder may stand at another alone.
      if (full && !fill.from && !this.#enforcer!.copiesOf(group).appointed) this.#groups.delete(group);
    }
    this.#recheck(reachable);
    if (missed > 0 && this.missed === 0) this.onCaughtUp();
  }

  /** Who can't be reached is not waited for where something was taken from others. */
  recheck(reachable: (member: string) => boolean): void {
    const missed = this.missed;
    this.#recheck(reachable);
    if (missed > 0 && this.missed === 0) this.onCaughtUp();
  }

  #recheck(reachable: (member: string) => boolean): void {
    for (const [group, fill] of this.#groups) {
      const { sources } = fill;
      const isDone = (holder: string) => sources.has(holder) || !reachable(holder);
      if (sources.size > 0 && this.#isFromTable(group, sources) && this.#holders(group, fill).every(isDone))
        this.#groups.delete(group);
    }
  }

  /** Not from those alone that were appointed together with this member. */
  #isFromTable(group: number, sources: ReadonlySet<string>): boolean {
    const { originals, appointed } = this.#enforcer!.copiesOf(group);
    return !appointed || originals.some((index) => sources.has(this.#table!.members[index]!.id));
  }
}

/** Epochs after the one of this move that a member of its lists is sure to be written to in all of them, if in the last. */
function stepsHeld({ group, phase, from }: TableMove, table: PlacementTable, self: number): number {
  if (!from.members.includes(self))
    // Before it is read the group may turn back, or set out for another list: the member is written to no more.
    return isBeforeRead(phase) ? 1 : ROUND_TRIP_EPOCHS;
  if (table.group(group).members.includes(self)) return ROUND_TRIP_EPOCHS;
  return { 'write-both-read-old': 4, copy: 3, 'write-both-read-new': 2, 'clean-up': 0 }[phase];
}

/** The list that the group goes to is not read yet. */
function isBeforeRead(phase: MovePhase): boolean {
  return phase === 'write-both-read-old' || phase === 'copy';
}
