import { type FollowGraph, followerCounts } from '@covey/graph';
import { type CopyLists, emptyLists, noMember } from './copy-lists.ts';
import { FillPrices, fillByFollowers } from './fill.ts';
import { isAdmitted, placeHashed } from './hashed.ts';
import { memberRows, noRow, openSets } from './open-sets.ts';
import type { Placement, PlacementProblem, Shortfall } from './problem.ts';
import { sampledProblem } from './sample.ts';
import type { SearchLimits } from './search/state.ts';

/**
 * Accounts that fewer of the sampled readers follow are placed with the others: the search knows too little of who follows
 * them, and fits them to whom it knows.
 */
const followersKept = 8;
/** The others are placed this often: the first time by what readers open for the accounts kept, then by all. */
const fills = 6;

export interface SampledPlacing {
  problem: PlacementProblem;
  usable: readonly number[];
  /** caps for all accounts */
  limits: SearchLimits;
  /** who the search sees */
  readers: Uint32Array;
  /** places a problem that is small enough */
  place: (
    problem: PlacementProblem,
    onProgress: (phase: string, done: number, total: number) => void,
  ) => Placement;
  onProgress: (phase: string, done: number, total: number) => void;
}

/**
 * Places a problem that is too large for the search: the search sees a sample of the readers and whom they follow, which
 * are nearly all accounts that matter to many; each other account goes where its own followers are connected
 * (`fill.ts`). Read copies and pins are those of the search.
 */
export function placeSampled(input: SampledPlacing): {
  lists: CopyLists;
  /** copies that each member holds */
  held: Float64Array;
  /** accounts whose pins were kept */
  pinned: Set<number>;
  /** accounts that a policy for hubs placed */
  hubs: number[];
  /** about pins */
  shortfalls: Shortfall[];
} {
  const { problem, usable, limits, readers, onProgress } = input;
  const { graph, copies } = problem;
  const k = problem.members.length;
  const sample = sampledProblem(problem, readers);
  const found = input.place(sample.problem, onProgress);

  const lists = emptyLists(graph.nodes, copies);
  placeHashed(problem, lists);
  const rowOf = new Uint32Array(graph.nodes).fill(noRow);
  const held = new Float64Array(k);
  const pinned = new Set<number>();
  const hubs: number[] = [];
  const sampledFollowers = followerCounts(sample.problem.graph);
  sample.accounts.forEach((account, at) => {
    if (sampledFollowers[at] < followersKept && !problem.pins?.has(account)) return;
    const group = found.groups[found.groupOf[at]];
    if (!group) return;
    rowOf[account] = found.groupOf[at];
    group.members.slice(0, group.copies).forEach((member, copy) => {
      lists.writes[account * copies + copy] = member;
    });
    if (group.members.length > group.copies) lists.reads.set(account, group.members.slice(group.copies));
    if (group.pinned) pinned.add(account);
    else if (group.hub && group.members.length === group.copies) hubs.push(account);
    if (!group.hashed) for (const member of group.members) held[member]++;
  });

  const others = accountsByFollowers(problem, rowOf);
  const followers = followersOf(graph, others);
  const before = held.slice();
  const prices = new FillPrices(k);
  const groups = found.groups.map((group) => [...group.members]);
  let open = openSets(graph, memberRows(rowOf, groups, k), k);
  for (let fill = 0; fill < fills; fill++) {
    onProgress('fill', fill, fills);
    if (fill > 0) open = openSets(graph, rowsWithOthers(lists, rowOf, others, groups, k), k, open);
    held.set(before);
    prices.update(open, limits, usable);
    fillByFollowers({ graph, accounts: others, followers, lists, open, held, limits, usable, prices });
  }
  onProgress('fill', fills, fills);
  return { lists, held, pinned, hubs, shortfalls: found.shortfalls.filter((s) => s.constraint === 'pins') };
}

/** Rows of the sample's groups stay; each set of members that others have gets one. */
function rowsWithOthers(
  lists: CopyLists,
  rowOf: Uint32Array,
  others: Uint32Array,
  groups: number[][],
  k: number,
) {
  const all = rowOf.slice();
  const rows = groups.slice();
  const numberOf = new Map<number | string, number>();
  const { copies, writes } = lists;
  for (const account of others) {
    const set = writes.slice(account * copies, (account + 1) * copies).sort();
    const key = copies <= 3 ? set.reduce((sum, member) => sum * 65536 + member, 0) : set.join();
    let row = numberOf.get(key);
    if (row === undefined) {
      row = rows.push([...set].filter((member) => member !== noMember)) - 1;
      numberOf.set(key, row);
    }
    all[account] = row;
  }
  return memberRows(all, rows, k);
}

/** Admitted accounts without a row, those with most followers first, then by number. */
function accountsByFollowers(problem: PlacementProblem, rowOf: Uint32Array): Uint32Array {
  const { graph } = problem;
  const followers = new Uint32Array(graph.nodes);
  for (let i = 0; i < graph.edges; i++) followers[graph.targets[i]]++;
  let count = 0;
  let most = 0;
  const isOther = (account: number): boolean => rowOf[account] === noRow && isAdmitted(problem, account);
  for (let account = 0; account < graph.nodes; account++) {
    if (!isOther(account)) continue;
    count++;
    if (followers[account] > most) most = followers[account];
  }
  const starts = new Uint32Array(most + 2);
  for (let account = 0; account < graph.nodes; account++) {
    if (isOther(account)) starts[most - followers[account] + 1]++;
  }
  for (let i = 0; i <= most; i++) starts[i + 1] += starts[i];
  const order = new Uint32Array(count);
  for (let account = 0; account < graph.nodes; account++) {
    if (isOther(account)) order[starts[most - followers[account]]++] = account;
  }
  return order;
}

/** Who follows each of these accounts; rows of the others are empty. */
function followersOf(graph: FollowGraph, accounts: Uint32Array): FollowGraph {
  const wanted = new Uint8Array(graph.nodes);
  for (const account of accounts) wanted[account] = 1;
  const offsets = new Uint32Array(graph.nodes + 1);
  for (let i = 0; i < graph.edges; i++) if (wanted[graph.targets[i]] === 1) offsets[graph.targets[i] + 1]++;
  for (let account = 0; account < graph.nodes; account++) offsets[account + 1] += offsets[account];
  const targets = new Uint32Array(offsets[graph.nodes]);
  const cursor = offsets.slice();
  for (let account = 0; account < graph.nodes; account++) {
    for (let i = graph.offsets[account]; i < graph.offsets[account + 1]; i++) {
      if (wanted[graph.targets[i]] === 1) targets[cursor[graph.targets[i]]++] = account;
    }
  }
  return { nodes: graph.nodes, edges: targets.length, offsets, targets };
}
