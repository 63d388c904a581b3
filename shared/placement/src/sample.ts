import { seededUint32 } from '@covey/graph';
import { isAdmitted } from './hashed.ts';
import type { PlacementProblem } from './problem.ts';
import { SLOTS } from './slots.ts';

/** Readers below this many followees are not part of the objective. */
const followeesMin = 5;

/** Follows that a search sees, where the problem does not say. */
const searchFollowsMax = 16_000_000;
/** The sample of a larger problem is so much smaller, as the others have to be placed too. */
const samplePart = 4;

/** The readers that the search sees of a problem too large to see all; undefined where it is not. */
export function readersToSearch(problem: PlacementProblem): Uint32Array | undefined {
  const most = problem.searchFollowsMax ?? searchFollowsMax;
  return followsOfReaders(problem) > most ? sampleReaders(problem, most / samplePart) : undefined;
}

/** Follows that readers of a problem make: what a search costs time and memory for. */
export function followsOfReaders(problem: PlacementProblem): number {
  let follows = 0;
  for (let account = 0; account < problem.graph.nodes; account++) {
    if (isReader(problem, account)) follows += degree(problem, account);
  }
  return follows;
}

/**
 * Readers that make about `followsMax` follows together, each with the same chance: evenly through the communities, in
 * which they are in random order, so that every community of some size has its share.
 * @returns accounts, ascending
 */
export function sampleReaders(problem: PlacementProblem, followsMax: number): Uint32Array {
  const { graph, communityOf } = problem;
  const part = Math.min(1, followsMax / Math.max(1, followsOfReaders(problem)));
  let communities = 0;
  for (let account = 0; account < graph.nodes; account++) {
    if (communityOf[account] >= communities) communities = communityOf[account] + 1;
  }
  // One running sum a community, from a random start, that passes a whole number at every account to be taken.
  const next = seededUint32(problem.seed);
  const sums = Float64Array.from({ length: communities }, () => next() / 4294967296);
  const taken: number[] = [];
  for (let account = 0; account < graph.nodes; account++) {
    if (!isReader(problem, account)) continue;
    const before = sums[communityOf[account]];
    sums[communityOf[account]] = before + part;
    if (Math.floor(before + part) > Math.floor(before)) taken.push(account);
  }
  return Uint32Array.from(taken);
}

export interface SampledProblem {
  problem: PlacementProblem;
  /** account of the whole problem behind each account of this one, ascending */
  accounts: Uint32Array;
}

/**
 * The problem of the sampled readers alone: them, whom they follow, and accounts with pins. Nobody else reads. The budget
 * of read copies is that of the whole problem, since hubs are all in here.
 */
export function sampledProblem(whole: PlacementProblem, readers: Uint32Array): SampledProblem {
  const { graph } = whole;
  const position = new Uint32Array(graph.nodes);
  for (const reader of readers) {
    position[reader] = 1;
    for (let i = graph.offsets[reader]; i < graph.offsets[reader + 1]; i++) position[graph.targets[i]] = 1;
  }
  for (const account of whole.pins?.keys() ?? []) position[account] = 1;
  let nodes = 0;
  let admitted = 0;
  for (let account = 0; account < graph.nodes; account++) nodes += position[account];
  const accounts = new Uint32Array(nodes);
  nodes = 0;
  let allAdmitted = 0;
  for (let account = 0; account < graph.nodes; account++) {
    if (isAdmitted(whole, account)) allAdmitted++;
    if (position[account] === 0) continue;
    position[account] = nodes;
    accounts[nodes++] = account;
    if (isAdmitted(whole, account)) admitted++;
  }
  const offsets = new Uint32Array(nodes + 1);
  for (const reader of readers) offsets[position[reader] + 1] = degree(whole, reader);
  for (let node = 0; node < nodes; node++) offsets[node + 1] += offsets[node];
  const targets = new Uint32Array(offsets[nodes]);
  for (const reader of readers) {
    let at = offsets[position[reader]];
    for (let i = graph.offsets[reader]; i < graph.offsets[reader + 1]; i++) {
      targets[at++] = position[graph.targets[i]];
    }
  }
  const { previous: _none, pins, ...rest } = whole;
  const problem: PlacementProblem = {
    ...rest,
    graph: { nodes, edges: targets.length, offsets, targets },
    communityOf: whole.communityOf.length > 0 ? take(whole.communityOf, accounts) : new Uint32Array(0),
    extraCopies: admitted > 0 ? (whole.extraCopies * allAdmitted) / admitted : 0,
    members: whole.members.map((member) => {
      const { denied, ...plain } = member;
      return denied ? { ...plain, denied: (account: number) => denied(accounts[account]) } : plain;
    }),
    slots: Uint32Array.from(accounts, (account) => (whole.slots ? whole.slots[account] : account % SLOTS)),
    ...(whole.admitted && { admitted: take(whole.admitted, accounts) }),
    ...(whole.readerWeights && { readerWeights: take(whole.readerWeights, accounts) }),
    ...(pins && { pins: new Map([...pins].map(([account, row]) => [position[account], row])) }),
  };
  return { problem, accounts };
}

function isReader(problem: PlacementProblem, account: number): boolean {
  return (
    degree(problem, account) >= followeesMin &&
    problem.readerWeights?.[account] !== 0 &&
    isAdmitted(problem, account)
  );
}

function degree({ graph }: PlacementProblem, account: number): number {
  return graph.offsets[account + 1] - graph.offsets[account];
}

function take(values: ArrayLike<number>, accounts: Uint32Array): Uint32Array {
  return Uint32Array.from(accounts, (account) => values[account]);
}
