import { type FollowGraph, reverseGraph, seededRng } from '@covey/graph';
import type { PlacedGroup, Placement } from '@covey/placement';

/** Placements that ours is compared with. Copies are bounded as ours are, so that only the choice differs. */

/** Copies that a member may hold, of its fair share. */
const copyLimit = 1.04;
/** Pieces of communities that a member's share is made of when packing. */
const piecesPerMember = 16;

/** `copies` different random members for each account. */
export function hashed(nodes: number, k: number, copies: number, seed: number): Placement {
  const rng = seededRng(`hash:${seed}`);
  return fromRows(
    Array.from({ length: nodes }, () => {
      const row: number[] = [];
      while (row.length < Math.min(copies, k)) {
        const member = Math.floor(rng() * k);
        if (!row.includes(member)) row.push(member);
      }
      return row;
    }),
    copies,
  );
}

/**
 * Communities, cut into pieces, on the members with fewest accounts, largest first: a partition that keeps communities
 * together and balances accounts.
 */
export function packed(communityOf: Uint32Array, k: number): Uint32Array {
  const byCommunity = new Map<number, number[]>();
  communityOf.forEach((community, account) => {
    const list = byCommunity.get(community);
    if (list) list.push(account);
    else byCommunity.set(community, [account]);
  });
  const size = Math.max(1, Math.ceil(communityOf.length / (k * piecesPerMember)));
  const pieces: number[][] = [];
  for (const list of byCommunity.values())
    for (let at = 0; at < list.length; at += size) pieces.push(list.slice(at, at + size));
  // Pieces of one community stay neighbours, so that they go to the same member while it has room.
  const share = Math.ceil(communityOf.length / k);
  const held = new Uint32Array(k);
  const partOf = new Uint32Array(communityOf.length);
  let member = 0;
  for (const piece of pieces) {
    if (held[member]! + piece.length > share) member = held.indexOf(Math.min(...held));
    held[member]! += piece.length;
    for (const account of piece) partOf[account] = member;
  }
  return partOf;
}

/** A partition as a placement: the master is the part, replicas stand in the parts that have most of the followers. */
export function withReplicas(graph: FollowGraph, partOf: Uint32Array, k: number, copies: number): Placement {
  const followers = reverseGraph(graph);
  const most = Math.ceil((graph.nodes * copies * copyLimit) / k);
  const held = new Uint32Array(k);
  for (const part of partOf) held[part]!++;
  const degree = (account: number): number => followers.offsets[account + 1]! - followers.offsets[account]!;
  const order = Array.from(partOf.keys()).sort((a, b) => degree(b) - degree(a) || a - b);
  const rows: number[][] = Array.from(partOf, (part) => [part]);
  const votes = new Uint32Array(k);
  for (const account of order) {
    votes.fill(0);
    for (let i = followers.offsets[account]!; i < followers.offsets[account + 1]!; i++)
      votes[partOf[followers.targets[i]!]!]!++;
    const row = rows[account]!;
    while (row.length < Math.min(copies, k)) {
      let best = -1;
      for (let member = 0; member < k; member++) {
        if (row.includes(member) || held[member]! >= most) continue;
        if (
          best < 0 ||
          votes[member]! > votes[best]! ||
          (votes[member] === votes[best] && held[member]! < held[best]!)
        )
          best = member;
      }
      if (best < 0) best = row.includes(0) ? row.length : 0;
      row.push(best);
      held[best]!++;
    }
  }
  return fromRows(rows, copies);
}

function fromRows(rows: readonly number[][], copies: number): Placement {
  const numbers = new Map<string, number>();
  const groups: PlacedGroup[] = [];
  const groupOf = Uint32Array.from(rows, (row) => {
    const key = row.join();
    let number = numbers.get(key);
    if (number === undefined) {
      number = groups.push({ members: row, copies, hub: false, pinned: false, accounts: 0 }) - 1;
      numbers.set(key, number);
    }
    groups[number]!.accounts++;
    return number;
  });
  return { groupOf, groups, shortfalls: [] };
}
