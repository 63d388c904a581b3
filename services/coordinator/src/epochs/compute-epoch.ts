import {
  explainMoves,
  type MovesExplained,
  noGroup,
  type Placement,
  PlacementExplainer,
  type PlacementMember,
  type PreviousPlacement,
  placeSlots,
  sampleReaders,
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
  moved: MovesExplained;
  explainer: PlacementExplainer;
  /** Milliseconds by phase. */
  ms: Record<string, number>;
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
  const explainer = timed('explain', () => explainerOf(placed, placementMembers, options.seed));
  const moved = explainMoves({
    previous: before,
    placement,
    members: placementMembers,
    pins: inputs.pins,
    explainer,
    explained: positionIn(placed.searched.accounts, graph.nodes),
    gone: goneOf(previous, before),
  });
  return {
    table,
    root: next.root,
    ...(delta && delta.length < table.length ? { delta } : {}),
    inputs: inputsDigest(inputs),
    ...placed,
    groups: listed.length,
    moved,
    explainer,
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

/** Readers whose covers explain a placement. */
const READERS_EXPLAINED = 20_000;

function explainerOf(
  { searched: { graph, accounts }, placement }: PlacedAccounts,
  members: readonly PlacementMember[],
  seed: number,
): PlacementExplainer {
  const { groups } = placement;
  const groupOf = accounts
    ? Uint32Array.from(accounts, (account) => placement.groupOf[account]!)
    : placement.groupOf;
  return new PlacementExplainer(
    graph,
    { groupOf, groups },
    members,
    sampleReaders(graph, READERS_EXPLAINED, seed),
  );
}

/** The place of an account among `accounts`, −1 where it is not among them; all are where there is no list. */
function positionIn(accounts: Uint32Array | undefined, nodes: number): (account: number) => number {
  if (!accounts) return (account) => account;
  const position = new Int32Array(nodes).fill(-1);
  accounts.forEach((account, number) => {
    position[account] = number;
  });
  return (account) => position[account]!;
}

/** Accounts that the table before listed and that are no accounts of today's graph. */
function goneOf(previous: PlacementTable | undefined, before: PreviousPlacement | undefined): number {
  if (!previous || !before) return 0;
  let known = 0;
  for (const group of before.groupOf) if (group !== noGroup) known++;
  return Math.max(0, previous.accounts - known);
}
