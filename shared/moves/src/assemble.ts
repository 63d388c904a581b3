import {
  compareBytes,
  EXCEPTION_ROW_BYTES,
  KEY_BYTES,
  type MovePhase,
  type PlacementTable,
  PREFIX_BYTES,
  PREFIX_ROW_BYTES,
  SLOT_GROUPS,
  type TableContent,
  type TableGroup,
  type TableMember,
  type TableMove,
  writeU32,
} from '@covey/table';
import { listKey } from './lists.ts';
import type { RowPairs } from './row-pairs.ts';

/** Where accounts are after a step. Lists are in indexes of the step's members. */
export type Destination =
  | { kind: 'unlisted' }
  /** They stay in the group, as it is. */
  | { kind: 'group'; group: number }
  /** In the group that rests with this list. */
  | { kind: 'list'; list: TableGroup }
  /** In a group on its way. `source`: it keeps that number if all its accounts go this way; undefined: a new number. */
  | { kind: 'move'; source: number | undefined; from: TableGroup; list: TableGroup; phase: MovePhase };

/** The first `accounts` of a pair go to `first`, the others to `rest`. */
export interface PairDestination {
  first: Destination;
  accounts: number;
  rest: Destination;
}

export interface Assembly {
  current: PlacementTable;
  rows: RowPairs;
  members: readonly TableMember[];
  /** Ids of members that stay in the table though no list names them. */
  kept: ReadonlySet<string>;
  slots: ReadonlyMap<number, Destination>;
  destinationOf: (from: number, to: number) => PairDestination | undefined;
  pairsFrom: (group: number) => readonly { from: number; to: number; accounts: number }[];
}

/** The content of the next epoch, or undefined when it would say what the current one says. */
export function assemble(assembly: Assembly): TableContent | undefined {
  const { current } = assembly;
  const numbers = new Numbering(assembly);
  const rows = nextRows(assembly, numbers);
  const { groups, moves } = numbers.finish();
  const content = dropMembers(
    { cluster: current.cluster, epoch: current.epoch + 1, members: assembly.members, groups, moves, rows },
    assembly.kept,
  );
  return isSame(current.content(), content) ? undefined : content;
}

/** Gives destinations their group numbers. Slots keep theirs; so does a group whose accounts all go the same way. */
class Numbering {
  readonly #assembly: Assembly;
  readonly #groups: TableGroup[] = [];
  readonly #moves = new Map<number, TableMove>();
  readonly #used: Uint8Array;
  readonly #byKey = new Map<string, number>();
  /** List → group that rests with it now and keeps some of its accounts, or has none. */
  readonly #resting = new Map<string, number>();
  /** A number that no group of the current table has had. */
  #fresh: number;
  #free: number[] | undefined;

  constructor(assembly: Assembly) {
    this.#assembly = assembly;
    const { current } = assembly;
    this.#used = new Uint8Array(current.groupCount);
    this.#fresh = current.groupCount;
    const moving = new Set<number>();
    for (const move of current.moves()) {
      moving.add(move.group);
      this.#moves.set(move.group, move);
    }
    for (let group = 0; group < current.groupCount; group++) this.#groups.push(current.group(group));
    for (const [slot, destination] of assembly.slots) this.#place(slot, destination);
    for (let group = SLOT_GROUPS; group < current.groupCount; group++) {
      const pairs = assembly.pairsFrom(group);
      if (moving.has(group) || pairs.length === 0) continue;
      const stays = pairs.some(({ from, to, accounts }) => {
        const pair = assembly.destinationOf(from, to)!;
        return pair.first.kind === 'group' || (pair.rest.kind === 'group' && pair.accounts < accounts);
      });
      const key = listKey(this.#groups[group]!);
      if (stays && !this.#resting.has(key)) this.#resting.set(key, group);
    }
  }

  #place(group: number, destination: Destination): void {
    if (destination.kind === 'unlisted' || destination.kind === 'group') return;
    this.#groups[group] = destination.list;
    if (destination.kind === 'list') this.#moves.delete(group);
    else this.#moves.set(group, { group, phase: destination.phase, from: destination.from });
  }

  /** The number of the group for accounts that come from group `from`; −1 when the table does not list them. */
  numberOf(destination: Destination, from: number): number {
    if (destination.kind === 'unlisted') return -1;
    if (destination.kind === 'group') return this.#use(destination.group);
    const key =
      destination.kind === 'list'
        ? `list ${listKey(destination.list)}`
        : `move ${destination.phase} ${listKey(destination.from)} ${listKey(destination.list)} ${this.#identity(destination, from)}`;
    const known = this.#byKey.get(key);
    if (known !== undefined) return known;
    const resting = destination.kind === 'list' ? this.#resting.get(listKey(destination.list)) : undefined;
    const number = resting ?? (this.#keeps(from, destination) ? from : this.#take());
    this.#byKey.set(key, number);
    if (resting === undefined) this.#place(number, destination);
    return this.#use(number);
  }

  /** Groups that are on their way stay apart: members count what they filled by group. */
  #identity(destination: Extract<Destination, { kind: 'move' }>, from: number): string {
    return destination.phase === 'write-both-read-old' && !this.#moves.has(from) ? 'new' : String(from);
  }

  /** Whether all accounts of a group go to one destination, so that it keeps its number. */
  #keeps(group: number, destination: Destination): boolean {
    if (group < SLOT_GROUPS || group >= this.#used.length) return false;
    const { pairsFrom, destinationOf } = this.#assembly;
    return pairsFrom(group).every(({ from, to, accounts }) => {
      const pair = destinationOf(from, to)!;
      return pair.accounts >= accounts && isSameDestination(pair.first, destination);
    });
  }

  #use(group: number): number {
    if (group < this.#used.length) this.#used[group] = 1;
    return group;
  }

  /** A number that nobody has: of an empty group, else a new one. */
  #take(): number {
    this.#free ??= [...this.#used.keys()]
      .filter((group) => group >= SLOT_GROUPS && this.#assembly.pairsFrom(group).length === 0)
      .reverse();
    return this.#free.pop() ?? this.#fresh++;
  }

  /** All groups and moves. Numbers without accounts have some list; those at the end are given up. */
  finish(): { groups: TableGroup[]; moves: TableMove[] } {
    const groups = [...this.#groups];
    const filler = groups[0]!;
    const taken = new Set(this.#byKey.values());
    for (let group = SLOT_GROUPS; group < this.#used.length; group++) {
      if (this.#used[group] || taken.has(group)) continue;
      groups[group] = { ...filler, hub: false, pinned: false };
      this.#moves.delete(group);
    }
    while (groups.length > SLOT_GROUPS && !this.#used[groups.length - 1] && !taken.has(groups.length - 1))
      groups.pop();
    const moves = [...this.#moves.values()].sort((a, b) => a.group - b.group);
    return { groups, moves };
  }
}

function isSameDestination(a: Destination, b: Destination): boolean {
  if (a === b) return true;
  if (a.kind === 'list' && b.kind === 'list') return listKey(a.list) === listKey(b.list);
  return (
    a.kind === 'move' &&
    b.kind === 'move' &&
    a.phase === b.phase &&
    listKey(a.from) === listKey(b.from) &&
    listKey(a.list) === listKey(b.list)
  );
}

function nextRows({ current, rows, destinationOf }: Assembly, numbers: Numbering): TableContent['rows'] {
  const size = rows.current.rows.prefixes.length + rows.target.rows.prefixes.length;
  const prefixes = new Uint8Array(size);
  let length = 0;
  const passed = new Map<PairDestination, { accounts: number; first: number; rest: number | undefined }>();
  const whole: { key: Uint8Array; group: number; resting: boolean }[] = [];
  rows.forEach((bytes, at, isWhole, from, to) => {
    const pair = destinationOf(from, to)!;
    let known = passed.get(pair);
    if (!known) {
      known = { accounts: 0, first: numbers.numberOf(pair.first, from), rest: undefined };
      passed.set(pair, known);
    }
    const isFirst = known.accounts++ < pair.accounts;
    const destination = isFirst ? pair.first : pair.rest;
    const group = isFirst ? known.first : (known.rest ??= numbers.numberOf(pair.rest, from));
    if (group < 0) return;
    if (isWhole) {
      const resting = destination.kind === 'list' || destination.kind === 'group';
      whole.push({ key: bytes, group, resting });
      return;
    }
    prefixes.set(bytes.subarray(at, at + PREFIX_BYTES), length);
    writeU32(prefixes, length + PREFIX_BYTES, group);
    length += PREFIX_ROW_BYTES;
  });
  const { exceptions, single } = splitWhole(whole, rows);
  const kept = prefixes.slice(0, length);
  return {
    prefixes: single.length > 0 ? insertRows(kept, single) : kept,
    exceptions:
      exceptions.length === 0 && current.rows.exceptions.length === 0 ? current.rows.exceptions : exceptions,
  };
}

/** Whole keys that still need to be told apart, and those whose prefix is enough again. */
function splitWhole(
  whole: readonly { key: Uint8Array; group: number; resting: boolean }[],
  rows: RowPairs,
): { exceptions: Uint8Array; single: { key: Uint8Array; group: number }[] } {
  const kept: { key: Uint8Array; group: number }[] = [];
  const single: { key: Uint8Array; group: number }[] = [];
  for (let i = 0; i < whole.length; ) {
    let end = i + 1;
    while (end < whole.length && compareBytes(whole[end]!.key, 0, whole[i]!.key, 0, PREFIX_BYTES) === 0)
      end++;
    const same = whole.slice(i, end);
    const first = same[0]!;
    const joined =
      !rows.collidesInTarget(first.key) &&
      same.every(({ group, resting }) => resting && group === first.group);
    if (joined) single.push(first);
    else kept.push(...same);
    i = end;
  }
  const exceptions = new Uint8Array(kept.length * EXCEPTION_ROW_BYTES);
  kept.forEach(({ key, group }, i) => {
    exceptions.set(key, i * EXCEPTION_ROW_BYTES);
    writeU32(exceptions, i * EXCEPTION_ROW_BYTES + KEY_BYTES, group);
  });
  return { exceptions, single };
}

/** Sorted rows with a few more put in. */
function insertRows(rows: Uint8Array, added: readonly { key: Uint8Array; group: number }[]): Uint8Array {
  const merged = new Uint8Array(rows.length + added.length * PREFIX_ROW_BYTES);
  let length = 0;
  let i = 0;
  for (const { key, group } of added) {
    while (i < rows.length && compareBytes(rows, i, key, 0, PREFIX_BYTES) < 0) {
      merged.set(rows.subarray(i, i + PREFIX_ROW_BYTES), length);
      i += PREFIX_ROW_BYTES;
      length += PREFIX_ROW_BYTES;
    }
    merged.set(key.subarray(0, PREFIX_BYTES), length);
    writeU32(merged, length + PREFIX_BYTES, group);
    length += PREFIX_ROW_BYTES;
  }
  merged.set(rows.subarray(i), length);
  return merged;
}

/** Members that no list names and nobody wants leave the table; the others close up. */
function dropMembers(content: TableContent, kept: ReadonlySet<string>): TableContent {
  const named = new Uint8Array(content.members.length);
  const name = (list: TableGroup) => {
    for (const member of list.members) named[member] = 1;
  };
  content.groups.forEach(name);
  for (const { from } of content.moves) name(from);
  const stays = content.members.map(({ id }, i) => named[i] === 1 || kept.has(id));
  if (stays.every(Boolean)) return content;
  const index: number[] = [];
  let next = 0;
  for (const stay of stays) index.push(stay ? next++ : -1);
  const renumber = (list: TableGroup): TableGroup => ({
    ...list,
    members: list.members.map((m) => index[m]!),
  });
  return {
    ...content,
    members: content.members.filter((_, i) => stays[i]),
    groups: content.groups.map(renumber),
    moves: content.moves.map((move) => ({ ...move, from: renumber(move.from) })),
  };
}

function isSame(a: TableContent, b: TableContent): boolean {
  return (
    JSON.stringify(a.members) === JSON.stringify(b.members) &&
    a.groups.length === b.groups.length &&
    a.groups.every((group, i) => listKey(group) === listKey(b.groups[i]!)) &&
    a.moves.length === b.moves.length &&
    a.moves.every((move, i) => {
      const other = b.moves[i]!;
      return (
        move.group === other.group && move.phase === other.phase && listKey(move.from) === listKey(other.from)
      );
    }) &&
    isSameBytes(a.rows.prefixes, b.rows.prefixes) &&
    isSameBytes(a.rows.exceptions, b.rows.exceptions)
  );
}

function isSameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}
