import { reverseGraph } from '@covey/graph';
import { copyCaps, declared, fairShares } from './capacity.ts';
import {
  type CopyLists,
  emptyLists,
  formGroups,
  listsOfPrevious,
  membersOf,
  noMember,
} from './copy-lists.ts';
import { countAdmitted, isAdmitted, placeHashed } from './hashed.ts';
import { fixHubs } from './hubs.ts';
import { orderCopies } from './order.ts';
import { type PackInput, packPart } from './pack.ts';
import { communityParts } from './parts.ts';
import { applyPins } from './pins.ts';
import { placeSampled } from './place-sampled.ts';
import {
  InfeasiblePlacementError,
  type Placement,
  type PlacementProblem,
  type Shortfall,
  usableMembers,
} from './problem.ts';
import { readersToSearch } from './sample.ts';
import { pricedSearch } from './search/priced.ts';
import { rebalance } from './search/rebalance.ts';
import { searchCold, searchWarm } from './search/search.ts';
import { type SearchLimits, SearchState } from './search/state.ts';

/** Copies a member may hold above its fair share, in thousandths: below the 5 % promised, so that rounding fits. */
const copyLimit = 1040;
/** Max over mean of connections and reads: of equal members with write copies alone, and of others. */
const loadLimit = { balanced: 2, adaptive: 1.5 };
/** Members differ where one declares so many times another's connections. */
const unequal = 2;
/** What the search aims at, so that readers it did not see keep within the limit. */
const loadMargin = 0.97;
const loadFloor = 0.41;
/** Parts of communities that a member's share is made of when packing. */
const partsPerMember = 16;
/** Warm start: accounts that may change for a better fanout alone, in thousandths. */
const changesPermille = 6;
/** And after a change of members, on top of those that had to change; in thousandths of them. */
const changesOnTop = 80;

/**
 * After a change of members nothing changes for a better fanout beyond this, in thousandths of the mean share of those members;
 * what had to change does in any case.
 */
const fairMost = 1160;

export type PlaceProgress = (phase: string, done: number, total: number) => void;

/**
 * Decides which members hold each account: communities packed on members as a start, a priced search on what readers
 * open, groups formed from equal lists. With `previous`, rows that can stay do, and only a bounded share of accounts
 * changes for the better. Of very many follows the search sees a sample of readers. Deterministic: the same problem gives
 * the same arrays.
 * @throws InvalidProblemError, InfeasiblePlacementError
 */
export function place(problem: PlacementProblem, onProgress: PlaceProgress = () => {}): Placement {
  const usable = usableMembers(problem);
  const { graph, members, copies } = problem;
  const accounts = graph.nodes;
  const admitted = countAdmitted(problem);
  const isHashed = (account: number): boolean => !isAdmitted(problem, account);
  const shortfalls: Shortfall[] = [];
  const adaptive = problem.hubs === 'adaptive' && usable.length > copies;
  const extraBudget = adaptive
    ? Math.floor((admitted * copies * Math.round(problem.extraCopies * 1e6)) / 1e6)
    : 0;
  const writeShares = fairShares(members, usable, admitted * copies, admitted);
  const shares = fairShares(members, usable, admitted * copies + extraBudget, admitted);
  const denied = deniedMembers(problem, usable);
  const domains = failureDomains(problem, usable, shortfalls);
  const previous = problem.previous && previousLists(problem, usable, denied);
  const lists = previous ? copyOf(previous) : emptyLists(accounts, copies);
  const fixed = applyPins(problem, lists, usable, writeShares, shortfalls);
  placeHashed(problem, lists);

  const limits: SearchLimits = {
    caps: copyCaps(shares, copyLimit, admitted),
    connectionCapacity: capacities(problem, 'connections'),
    readCapacity: capacities(problem, 'reads'),
    loadLimit: (problem.loadLimit ?? loadLimitOf(problem, usable, extraBudget)) * loadMargin,
    loadFloor,
    domainOf: domains.domainOf,
    strictDomains: domains.strict,
    denied,
    extraBudget,
  };
  const readers = readersToSearch(problem);
  if (readers && !previous && usable.length > copies) {
    const sampled = placeSampled({ problem, usable, limits, readers, place, onProgress });
    for (let account = 0; account < accounts; account++) {
      if (!sampled.pinned.has(account)) fixed[account] = 0;
    }
    const kept = [...shortfalls.filter(({ constraint }) => constraint !== 'pins'), ...sampled.shortfalls];
    return finish({ ...sampled, fixed, shortfalls: kept });
  }
  if (!previous)
    packAll(problem, lists, usable, copyCaps(writeShares, copyLimit, admitted), limits, onProgress);
  const state = stateOf(problem, lists, fixed, limits, readers);
  const hubs =
    problem.hubs === 'adaptive' || usable.length <= copies
      ? []
      : fixHubs(state, problem.hubs, usable, (member) => declared(members[member], 'copies'));
  const options = {
    effort: problem.effort ?? 'normal',
    seed: problem.seed,
    setsMax: problem.setsMax ?? setsMax(admitted),
    onProgress,
  };
  if (previous) {
    const before = state.snapshot();
    const short = shortRows(state);
    if (short.length > 0)
      pricedSearch(state, {
        prices: 'multipliers',
        rounds: 1,
        seed: problem.seed,
        overloadCost: 1,
        fillOnly: short,
      });
    rebalance(state, shares);
    if (usable.length > copies) {
      const must = changedSince(state, before);
      const wanted = Math.max(admitted * changesPermille, must * changesOnTop) / 1000;
      const changes = changedMembers(problem, usable);
      const fair = (changes * copies * admitted) / usable.length;
      const most = changes > 0 ? (fair * fairMost) / 1000 - must : wanted;
      const free = Math.floor(Math.max(0, Math.min(wanted, most)));
      searchWarm(state, before, { must, free }, options);
    }
  } else if (usable.length > copies && admitted > 0) {
    searchCold(state, options);
  }
  writeBack(state, lists);
  return finish({ lists, held: state.held, fixed: state.fixed, hubs, shortfalls });

  /** Order and groups of the copies that were decided on. */
  function finish(decided: Decided): Placement {
    const { lists, fixed, held, shortfalls } = decided;
    requireCopies(problem, lists, shortfalls);
    reportExcess(problem, held, usable, shares, shortfalls);
    const { communityOf } = problem;
    const isOrphan = orphansOf(problem, previous);
    orderCopies({ lists, communityOf, fixed, isHashed, previous, isOrphan, usable, shares: writeShares });
    const hubSet = new Set(decided.hubs);
    const formed = formGroups(
      lists,
      (account) => fixed[account] > 0 && !isHashed(account),
      (account) => hubSet.has(account),
      isHashed,
    );
    onProgress('group', formed.groups.length, formed.groups.length);
    return { ...formed, shortfalls };
  }
}

interface Decided {
  lists: CopyLists;
  held: Float64Array;
  fixed: Uint8Array;
  hubs: readonly number[];
  shortfalls: Shortfall[];
}

/** Big members and read copies take the load of hubs, so that the limit can be lower. */
function loadLimitOf(problem: PlacementProblem, usable: readonly number[], extraBudget: number): number {
  const capacity = usable.map((member) => Math.max(1e-6, declared(problem.members[member], 'connections')));
  const least = capacity.reduce((low, value) => Math.min(low, value), Number.POSITIVE_INFINITY);
  const most = capacity.reduce((high, value) => Math.max(high, value), 0);
  return extraBudget > 0 || most >= least * unequal ? loadLimit.adaptive : loadLimit.balanced;
}

/** Different sets of copies allowed: each is a group to move, replicate and fail over. */
function setsMax(accounts: number): number {
  return Math.max(8192, Math.floor(accounts / 8));
}

/** 1 where nothing is declared; a capacity of nothing is as good as the smallest number. */
function capacities(problem: PlacementProblem, what: 'connections' | 'reads'): Float64Array {
  return Float64Array.from(problem.members, (member) => Math.max(1e-6, declared(member, what)));
}

function deniedMembers(problem: PlacementProblem, usable: readonly number[]): Map<number, Set<number>> {
  const denied = new Map<number, Set<number>>();
  for (const member of usable) {
    const denies = problem.members[member].denied;
    if (!denies) continue;
    for (let account = 0; account < problem.graph.nodes; account++) {
      if (!denies(account)) continue;
      const set = denied.get(account);
      if (set) set.add(member);
      else denied.set(account, new Set([member]));
    }
  }
  return denied;
}

function failureDomains(
  problem: PlacementProblem,
  usable: readonly number[],
  shortfalls: Shortfall[],
): { domainOf: Int32Array; strict: boolean } {
  const numbers = new Map<string, number>();
  const domainOf = Int32Array.from(problem.members, (member) => {
    const name = member.operator === undefined ? `member:${member.id}` : `operator:${member.operator}`;
    if (!numbers.has(name)) numbers.set(name, numbers.size);
    return numbers.get(name) as number;
  });
  const operators = new Set(usable.map((member) => domainOf[member])).size;
  const enough = operators >= problem.copies;
  // Where every member is a domain of its own, different members are enough, and the check is saved.
  const strict = enough && operators < usable.length;
  if (!enough && problem.graph.nodes > 0) {
    shortfalls.push({
      constraint: 'operators',
      accounts: problem.graph.nodes,
      detail: `${problem.copies} copies on ${operators} operators: some copies share an operator`,
    });
  }
  return { domainOf, strict };
}

/** The earlier lists in today's member indexes, without members that deny an account by now. */
function previousLists(
  problem: PlacementProblem,
  usable: readonly number[],
  denied: ReadonlyMap<number, ReadonlySet<number>>,
): CopyLists | undefined {
  if (!problem.previous) return undefined;
  const ids = problem.members.map((member) => member.id);
  const lists = listsOfPrevious(problem.previous, problem.graph.nodes, problem.copies, ids, usable);
  for (const [account, refusing] of denied) {
    const row = membersOf(lists, account).filter((member) => !refusing.has(member));
    for (let copy = 0; copy < lists.copies; copy++)
      lists.writes[account * lists.copies + copy] = row[copy] ?? noMember;
    lists.reads.delete(account);
    if (row.length > lists.copies) lists.reads.set(account, row.slice(lists.copies));
  }
  return lists;
}

/** Members that came or went since the earlier placement. */
function changedMembers({ previous, members }: PlacementProblem, usable: readonly number[]): number {
  if (!previous?.members) return 0;
  const named = new Set<number>();
  for (const { members: row } of previous.groups) for (const member of row) named.add(member);
  const before = new Set([...named].map((member) => previous.members![member]));
  const today = new Set(usable.map((member) => members[member].id));
  return (
    [...today].filter((id) => !before.has(id)).length + [...before].filter((id) => !today.has(id!)).length
  );
}

/** Accounts whose master of before is not among the members that are left to them. */
function orphansOf(
  { previous, members }: PlacementProblem,
  left: CopyLists | undefined,
): (account: number) => boolean {
  if (!previous || !left) return () => false;
  const today = new Map(members.map(({ id }, index) => [id, index]));
  return (account) => {
    const master = previous.groups[previous.groupOf[account]]?.members[0];
    if (master === undefined) return false;
    const now = previous.members ? today.get(previous.members[master]) : master;
    return left.writes[account * left.copies] !== now;
  };
}

function copyOf(lists: CopyLists): CopyLists {
  const reads = new Map([...lists.reads].map(([account, row]) => [account, [...row]]));
  return { ...lists, writes: lists.writes.slice(), reads };
}

/** Parts of communities on the members that hold most of what they follow: the packed start. */
function packAll(
  problem: PlacementProblem,
  lists: CopyLists,
  usable: readonly number[],
  caps: Float64Array,
  limits: SearchLimits,
  onProgress: PlaceProgress,
): void {
  const input: PackInput = {
    graph: problem.graph,
    followers: reverseGraph(problem.graph),
    lists,
    counts: (account) => isAdmitted(problem, account),
    usable,
    caps,
    held: new Float64Array(problem.members.length),
    masters: new Float64Array(problem.members.length),
    limits,
  };
  for (let account = 0; account < lists.accounts; account++) {
    if (isAdmitted(problem, account)) for (const member of membersOf(lists, account)) input.held[member]++;
  }
  const partSize = Math.max(1, Math.ceil(countAdmitted(problem) / (usable.length * partsPerMember)));
  const parts = communityParts(problem.communityOf, partSize);
  parts.sort((a, b) => b.length - a.length || a[0] - b[0]);
  parts.forEach((part, done) => {
    packPart(input, part);
    if (done % 64 === 0) onProgress('pack', done, parts.length);
  });
  onProgress('pack', parts.length, parts.length);
}

function stateOf(
  problem: PlacementProblem,
  lists: CopyLists,
  fixed: Uint8Array,
  limits: SearchLimits,
  readers: Uint32Array | undefined,
): SearchState {
  const sampled = readers && new Uint8Array(problem.graph.nodes);
  for (const reader of readers ?? []) sampled![reader] = 1;
  const weightOf = (account: number): number =>
    isAdmitted(problem, account) && sampled?.[account] !== 0 ? (problem.readerWeights?.[account] ?? 1) : 0;
  const state = new SearchState(problem.graph, problem.members.length, lists.copies, limits, weightOf);
  let extra = 0;
  for (let account = 0; account < lists.accounts; account++) {
    const row = membersOf(lists, account);
    if (!isAdmitted(problem, account)) state.hashed[account] = 1;
    for (let i = 0; i < row.length && i < state.width; i++) {
      if (i >= lists.copies && ++extra > limits.extraBudget) break;
      state.push(account, row[i]);
    }
  }
  state.fixed.set(fixed);
  for (let account = 0; account < lists.accounts; account++) {
    if (state.hashed[account] === 1) state.fixed[account] = state.sizes[account];
  }
  return state;
}

/** Accounts whose set of copies differs from an earlier one. */
function changedSince(state: SearchState, before: { lists: Uint16Array; sizes: Uint8Array }): number {
  let changed = 0;
  for (let account = 0; account < state.accounts; account++) {
    const start = account * state.width;
    let same = state.sizes[account] === before.sizes[account];
    for (let j = start; same && j < start + before.sizes[account]; j++)
      same = state.holds(account, before.lists[j]);
    if (!same) changed++;
  }
  return changed;
}

function shortRows(state: SearchState): Uint32Array {
  const short: number[] = [];
  for (let account = 0; account < state.accounts; account++) {
    if (state.sizes[account] < state.copies) short.push(account);
  }
  return Uint32Array.from(short).sort((a, b) => state.popularity(b) - state.popularity(a) || a - b);
}

function writeBack(state: SearchState, lists: CopyLists): void {
  lists.reads.clear();
  for (let account = 0; account < state.accounts; account++) {
    const row = state.lists.subarray(account * state.width, account * state.width + state.sizes[account]);
    for (let copy = 0; copy < lists.copies; copy++)
      lists.writes[account * lists.copies + copy] = row[copy] ?? noMember;
    if (row.length > lists.copies)
      lists.reads.set(
        account,
        [...row.subarray(lists.copies)].sort((a, b) => a - b),
      );
  }
}

/** Members that hold over 5 % more than their due, because operators, denials or pins left no other way. */
function reportExcess(
  problem: PlacementProblem,
  held: Float64Array,
  usable: readonly number[],
  shares: Float64Array,
  shortfalls: Shortfall[],
): void {
  let excess = 0;
  let worst = -1;
  for (const member of usable) {
    const most = Math.ceil(shares[member] * 1.05);
    if (held[member] <= most) continue;
    excess += held[member] - most;
    if (worst < 0 || held[member] * shares[worst] > held[worst] * shares[member]) worst = member;
  }
  if (worst < 0) return;
  const percent = Math.round((held[worst] / shares[worst] - 1) * 100);
  const detail =
    `${excess} copies stand above members' shares of capacity, since operators, denials or pins leave no other place; ` +
    `${problem.members[worst].id} holds ${percent} % more than its share`;
  shortfalls.push({ constraint: 'copies', accounts: excess, detail });
}

/** Every account must have its copies; those that too few members allow stop the placement or are reported. */
function requireCopies(problem: PlacementProblem, lists: CopyLists, shortfalls: Shortfall[]): void {
  let short = 0;
  let fewest = lists.copies;
  let example = -1;
  for (let account = 0; account < lists.accounts; account++) {
    if (lists.writes[(account + 1) * lists.copies - 1] !== noMember) continue;
    short++;
    const has = membersOf(lists, account).length;
    if (has >= fewest) continue;
    fewest = has;
    example = account;
  }
  if (short === 0) return;
  const detail =
    `${short} accounts are denied by so many members that fewer than ${lists.copies} are left; ` +
    `account ${example} has ${fewest}, ${lists.copies - fewest} short`;
  if (!problem.allowShortfall) throw new InfeasiblePlacementError('denied', lists.copies, fewest, detail);
  shortfalls.push({ constraint: 'denied', accounts: short, detail });
}
