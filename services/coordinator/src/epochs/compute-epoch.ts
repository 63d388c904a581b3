import {
  noGroup,
  type Placement,
  type PlacementMember,
  type PreviousPlacement,
  placeSlots,
} from '@covey/placement';
import {
  buildRows,
  diffTables,
  encodeTable,
  PlacementTable,
  SLOT_GROUPS,
  type TableGroup,
  type TableMember,
} from '@covey/table';
import { numberGroups } from './group-numbers.ts';
import { type EpochInputs, inputsDigest } from './inputs.ts';
import { type PlacedAccounts, placeAccounts } from './place-accounts.ts';

export interface ComputedEpoch extends PlacedAccounts {
  table: Uint8Array;
  root: string;
  /** From the previous table; absent for the first epoch and where it would be no smaller than the table. */
  delta?: Uint8Array;
  inputs: string;
  /** Groups of accounts, slots not counted. */
  groups: number;
  moved: MovedCounts;
  /** Milliseconds by phase. */
  ms: Record<string, number>;
}

/** Accounts whose set of members changed, by reason. */
export interface MovedCounts {
  accounts: number;
  byReason: { new: number; gone: number; pin: number; 'member left': number; 're-placed': number };
}

/**
 * Detect, group, place, and write the table: all of an epoch but its signature. A pure function of the inputs; `nowMs`
 * only times the phases.
 * @throws InfeasiblePlacementError, InvalidProblemError from the placement
 */
export function computeEpoch(
  inputs: EpochInputs,
  nowMs: () => number,
  onPhase: (phase: string, done: number, total: number) => void = () => {},
): ComputedEpoch {
  const ms: Record<string, number> = {};
  const timed = <T>(phase: string, work: () => T): T => {
    onPhase(phase, 0, 1);
    const started = nowMs();
    const result = work();
    ms[phase] = Math.round(nowMs() - started);
    return result;
  };
  const { graph, members, options, pubkeys } = inputs;
  const previous = inputs.previous ? new PlacementTable(inputs.previous) : undefined;
  const placementMembers = members.map(toPlacementMember);
  const before = previous ? previousPlacement(previous, pubkeys, graph.nodes) : undefined;
  const placed = placeAccounts(inputs, placementMembers, before, timed, onPhase);
  const { placement } = placed;
  const listed = placement.groups.filter(({ hashed }) => !hashed);
  const table = timed('table', () => {
    const accountGroups = listed.map(toTableGroup);
    const previousGroups = previous ? previous.content().groups.slice(SLOT_GROUPS) : [];
    const sameMembers = previous !== undefined && sameOrder(previous.members, members);
    const { numbers, count: groupCount } = numberGroups(sameMembers ? previousGroups : [], accountGroups);
    const groups: TableGroup[] = placeSlots(placementMembers, options.copies).map(toTableGroup);
    for (let i = 0; i < groupCount; i++) groups.push(previousGroups[i] ?? accountGroups[0]!);
    accountGroups.forEach((group, i) => {
      groups[SLOT_GROUPS + numbers[i]!] = group;
    });
    return encodeTable({
      cluster: inputs.cluster,
      epoch: inputs.epoch,
      members,
      groups,
      moves: [],
      rows: listedRows(pubkeys, placement, numbers),
    });
  });
  const next = new PlacementTable(table);
  const delta = previous ? timed('delta', () => diffTables(previous, next)) : undefined;
  const moved = countMoves(inputs, placement, before, previous);
  return {
    table,
    root: next.root,
    ...(delta && delta.length < table.length ? { delta } : {}),
    inputs: inputsDigest(inputs),
    ...placed,
    groups: listed.length,
    moved,
    ms,
  };
}

function toPlacementMember({ id, operator, capacity, state }: TableMember): PlacementMember {
  return { id, operator, capacity, draining: state === 'draining' };
}

function toTableGroup({ members, copies, hub, pinned }: TableGroup): TableGroup {
  return { members, copies, hub, pinned };
}

function sameOrder(a: readonly TableMember[], b: readonly TableMember[]): boolean {
  return a.every((member, i) => b[i]?.id === member.id);
}

/** Rows of the accounts that were placed; the others live in their slots. */
function listedRows(pubkeys: Uint8Array, placement: Placement, numbers: Uint32Array) {
  const { groupOf } = placement;
  const keys = new Uint8Array(groupOf.length * 32);
  const groups = new Uint32Array(groupOf.length);
  let listed = 0;
  for (let account = 0; account < groupOf.length; account++) {
    const group = groupOf[account]!;
    if (group === noGroup || placement.groups[group]!.hashed) continue;
    keys.set(pubkeys.subarray(account * 32, account * 32 + 32), listed * 32);
    groups[listed++] = SLOT_GROUPS + numbers[group]!;
  }
  return buildRows(keys, groups.subarray(0, listed));
}

/** Where the accounts of this epoch were before, for a warm start; `noGroup` for those that no group listed. */
function previousPlacement(table: PlacementTable, pubkeys: Uint8Array, accounts: number): PreviousPlacement {
  const groupOf = new Uint32Array(accounts).fill(noGroup);
  for (let account = 0; account < accounts; account++) {
    const group = table.listedGroupOf(pubkeys.subarray(account * 32, account * 32 + 32));
    if (group >= SLOT_GROUPS) groupOf[account] = group - SLOT_GROUPS;
  }
  return {
    groupOf,
    groups: table.content().groups.slice(SLOT_GROUPS),
    members: table.members.map(({ id }) => id),
  };
}

function countMoves(
  { members, pins }: EpochInputs,
  placement: Placement,
  before: PreviousPlacement | undefined,
  previous: PlacementTable | undefined,
): MovedCounts {
  const byReason = { new: 0, gone: 0, pin: 0, 'member left': 0, 're-placed': 0 };
  const { groupOf, groups } = placement;
  const usable = new Set(members.filter(({ state }) => state === 'active').map(({ id }) => id));
  let known = 0;
  let accounts = 0;
  for (let account = 0; account < groupOf.length; account++) {
    const group = groups[groupOf[account]!];
    const was = before?.groups[before.groupOf[account]!];
    if (!group || group.hashed) continue;
    if (!was || !before?.members) {
      byReason.new++;
      continue;
    }
    known++;
    const old = new Set(was.members.map((member) => before.members![member]!));
    const now = group.members.map((member) => members[member]!.id);
    if (old.size === now.length && now.every((id) => old.has(id))) continue;
    accounts++;
    if (pins.has(account)) byReason.pin++;
    else if ([...old].some((id) => !usable.has(id))) byReason['member left']++;
    else byReason['re-placed']++;
  }
  byReason.gone = previous ? Math.max(0, previous.accounts - known) : 0;
  return { accounts, byReason };
}
