import {
  admit,
  buildGraph,
  type FollowGraph,
  RANK_ONE,
  rankAccounts,
  readerWeights,
  WEIGHT_ONE,
} from '@covey/graph';
import { fairShares } from './capacity.ts';
import {
  noGroup,
  type PlacedGroup,
  type Placement,
  type PlacementMember,
  type PreviousPlacement,
} from './problem.ts';
import { placeSlots } from './slots.ts';

/**
 * Parts of an equal share of all trust, among the accounts that it is meant for: 1/500 of it for the search to place an
 * account, 1/10 to count as a reader, 1/5 to count as a whole one. Being placed costs the cluster nothing (an account that
 * is not stands in its slot) and being read by one reader with a few hundred follows has to be enough for it.
 */
const placedPart = 500;
const readerPart = 10;
const wholePart = 5;
/** Pins of accounts that are not admitted, together, of a member's fair share of copies, in thousandths. */
const untrustedPinQuota = 50;

export interface Trust {
  /** `equal`: there were no seeds, everybody is admitted and a full reader, nothing is resisted */
  basis: 'seeds' | 'equal';
  ranks: Float64Array;
  /** what each account counts as a reader, in 1 / 255; 0 for who does not count */
  readerWeights: Uint8Array;
  readers: number;
  /** 1 for accounts that the search places; the others live by hash */
  admitted: Uint8Array;
  admittedCount: number;
}

/**
 * Who may shape a placement. Trust flows from seeds (`rankAccounts`), and no count that strangers can raise moves the bars:
 * at most 10 × accountsMeant accounts are ever readers. A ring that gains B trust (`shiftBound`) gets at most
 * 10 B × accountsMeant readers, who weigh half as much, and has 500 B × accountsMeant accounts placed instead of hashed.
 *
 * One bar for both would keep out of the search whom only a few trusted people follow. On Nostr 2025-07 (k = 64, read
 * copies) these are 14 % of all follows, and cost 20.0 relays a reader instead of 12.7; with 1/500 they are 0.6 %.
 * @param seeds accounts; with none, everybody is equal
 * @param accountsMeant for how many accounts the cluster means to search
 */
export function trustOf(graph: FollowGraph, seeds: Iterable<number>, accountsMeant: number): Trust {
  const { ranks, basis } = rankAccounts(graph, seeds);
  const { nodes } = graph;
  if (basis === 'equal') {
    return {
      basis,
      ranks,
      readerWeights: new Uint8Array(nodes).fill(WEIGHT_ONE),
      readers: nodes,
      admitted: new Uint8Array(nodes).fill(1),
      admittedCount: nodes,
    };
  }
  const equalShare = RANK_ONE / accountsMeant;
  const reads = admit(ranks, { threshold: equalShare / readerPart });
  const weights = readerWeights(ranks, equalShare / wholePart);
  const admitted = admit(ranks, { threshold: equalShare / placedPart });
  for (let account = 0; account < nodes; account++) if (reads[account] === 0) weights[account] = 0;
  const count = (flags: Uint8Array): number => flags.reduce((sum, one) => sum + one, 0);
  return {
    basis,
    ranks,
    readerWeights: weights,
    readers: count(reads),
    admitted,
    admittedCount: count(admitted),
  };
}

/** What is left of a graph when only readers count. */
export interface TrustedGraph {
  /** follows by readers, in the numbering of `accounts` */
  graph: FollowGraph;
  /** accounts of the whole graph that are in it, ascending: those admitted, and those that readers follow */
  accounts: Uint32Array;
  /** 0 for those that are followed and not admitted: they live in their slot */
  admitted: Uint8Array;
  readerWeights: Uint8Array;
  /** of each follow in `graph`: what its follower counts, for detection */
  followWeights: Uint8Array;
  slots: Uint16Array;
  /** in the order in which quotas serve them: most trusted first */
  pins: Map<number, readonly number[]>;
  /** accounts with a pin that is not honoured, as nobody trusts them and the quota for such is full */
  pinsRefused: number;
}

/**
 * The graph without what nobody trusts: accounts that are neither admitted nor followed by a reader are not in it, so that
 * a ring of any size that no reader follows changes no byte of anybody's placement.
 *
 * A pin of an account that is not admitted still counts (its relay list is its own word), as of one that reads nothing,
 * while all of them together keep within 5 % of the member's fair share: a thousand fresh keys fill that and no more.
 * @param slotOf slot of an account of the whole graph
 */
export function trustedGraph(
  whole: FollowGraph,
  trust: Trust,
  slotOf: (account: number) => number,
  pins: ReadonlyMap<number, readonly number[]>,
  members: readonly PlacementMember[],
  copies: number,
): TrustedGraph {
  const usable = [...members.keys()].filter((index) => !members[index].draining);
  const shares = fairShares(members, usable, trust.admittedCount * copies, trust.admittedCount);
  const listed = trust.admitted.slice();
  const byTrust = [...pins.keys()].sort((a, b) => trust.ranks[b] - trust.ranks[a] || a - b);
  const claimed = new Float64Array(shares.length);
  const kept: number[] = [];
  for (const account of byTrust) {
    const named = pins.get(account) as readonly number[];
    if (listed[account] === 0) {
      const full = named.some(
        (member) => claimed[member] >= Math.floor((shares[member] * untrustedPinQuota) / 1000),
      );
      if (full) continue;
      for (const member of named) claimed[member]++;
      listed[account] = 1;
    }
    kept.push(account);
  }
  const inside = listed.slice();
  for (let account = 0; account < whole.nodes; account++) {
    if (trust.readerWeights[account] === 0) continue;
    for (let i = whole.offsets[account]; i < whole.offsets[account + 1]; i++) inside[whole.targets[i]] = 1;
  }
  const position = new Uint32Array(whole.nodes);
  const accounts = new Uint32Array(inside.reduce((sum, one) => sum + one, 0));
  for (let account = 0, size = 0; account < whole.nodes; account++) {
    if (inside[account] === 0) continue;
    position[account] = size;
    accounts[size++] = account;
  }
  const graph = followsOf(whole, accounts, position, trust.readerWeights);
  const followWeights = new Uint8Array(graph.edges);
  accounts.forEach((account, number) => {
    followWeights.fill(trust.readerWeights[account], graph.offsets[number], graph.offsets[number + 1]);
  });
  return {
    graph,
    followWeights,
    accounts,
    admitted: Uint8Array.from(accounts, (account) => listed[account]),
    readerWeights: Uint8Array.from(accounts, (account) => trust.readerWeights[account]),
    slots: Uint16Array.from(accounts, (account) => (listed[account] === 1 ? 0 : slotOf(account))),
    pins: new Map(kept.map((account) => [position[account], pins.get(account) as readonly number[]])),
    pinsRefused: byTrust.length - kept.length,
  };
}

/** Rows of the accounts that read, renumbered; the others follow nobody. */
function followsOf(
  whole: FollowGraph,
  accounts: Uint32Array,
  position: Uint32Array,
  readerWeights: Uint8Array,
): FollowGraph {
  let edges = 0;
  for (const account of accounts) {
    if (readerWeights[account] > 0) edges += whole.offsets[account + 1] - whole.offsets[account];
  }
  const sources = new Uint32Array(edges);
  const targets = new Uint32Array(edges);
  let at = 0;
  accounts.forEach((account, number) => {
    if (readerWeights[account] === 0) return;
    for (let i = whole.offsets[account]; i < whole.offsets[account + 1]; i++) {
      sources[at] = number;
      targets[at++] = position[whole.targets[i]];
    }
  });
  return buildGraph(accounts.length, sources, targets);
}

/** An earlier placement of the whole graph in the numbering of a trusted one. */
export function trustedPrevious(previous: PreviousPlacement, { accounts }: TrustedGraph): PreviousPlacement {
  const groupOf = Uint32Array.from(accounts, (account) =>
    account < previous.groupOf.length ? previous.groupOf[account] : noGroup,
  );
  return { ...previous, groupOf };
}

/** The placement of the whole graph: accounts that the search did not place stand in the groups of their slots. */
export function untrustedPlaced(
  placement: Placement,
  trusted: TrustedGraph,
  nodes: number,
  slotOf: (account: number) => number,
  members: readonly PlacementMember[],
  copies: number,
): Placement {
  const groups: PlacedGroup[] = placement.groups.filter(({ hashed }) => !hashed);
  const numbers = new Uint32Array(placement.groups.length).fill(noGroup);
  let kept = 0;
  placement.groups.forEach(({ hashed }, group) => {
    if (!hashed) numbers[group] = kept++;
  });
  const groupOf = new Uint32Array(nodes).fill(noGroup);
  trusted.accounts.forEach((account, number) => {
    const group = placement.groupOf[number];
    if (group !== noGroup) groupOf[account] = numbers[group];
  });
  const slots = placeSlots(members, copies);
  const groupOfSlot = new Int32Array(slots.length).fill(-1);
  for (let account = 0; account < nodes; account++) {
    if (groupOf[account] !== noGroup) continue;
    const slot = slotOf(account);
    if (groupOfSlot[slot] < 0)
      groupOfSlot[slot] = groups.push({ ...slots[slot], hashed: true, accounts: 0 }) - 1;
    groupOf[account] = groupOfSlot[slot];
    groups[groupOf[account]].accounts++;
  }
  return { groupOf, groups, shortfalls: placement.shortfalls };
}
