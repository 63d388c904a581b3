import { type CopyLists, noMember } from './copy-lists.ts';

/** A set of copies larger than one over this many times the members is cut, so that masters can be balanced. */
const cutsPerMember = 16;

export interface OrderInput {
  lists: CopyLists;
  communityOf: Uint32Array;
  /** pinned copies at the front of an account's row keep their place */
  fixed: Uint8Array;
  /** accounts outside the search, which keep their order and count for nobody */
  isHashed: (account: number) => boolean;
  /** order before: it is seniority, and survives */
  previous: CopyLists | undefined;
  usable: readonly number[];
  /** copies each member is due */
  shares: Float64Array;
}

/**
 * Decides the order of write copies. Accounts known before keep the order of the members that stay, newcomers last.
 * For the others, accounts with the same set share one order, cut into pieces by community; the piece's master is the
 * member with fewest masters for its share, the largest piece first, and the rest follow by masters they have.
 */
export function orderCopies(input: OrderInput): void {
  const { lists, communityOf, fixed, previous, usable, shares } = input;
  const { copies, writes } = lists;
  const masters = new Float64Array(shares.length);
  const bySet = new Map<string, number[]>();
  let accounts = 0;
  for (let account = 0; account < lists.accounts; account++) {
    const start = account * copies;
    if (writes[start] === noMember || input.isHashed(account)) continue;
    accounts++;
    if (previous && previous.writes[start] !== noMember)
      keepSeniority(lists, previous, account, fixed[account]);
    else if (fixed[account] === 0) {
      const key = writes
        .slice(start, start + copies)
        .sort()
        .join();
      const set = bySet.get(key);
      if (set) set.push(account);
      else bySet.set(key, [account]);
      continue;
    }
    masters[writes[start]]++;
  }
  const pieceSize = Math.max(1, Math.ceil(accounts / (usable.length * cutsPerMember)));
  const pieces: number[][] = [];
  for (const set of bySet.values()) {
    set.sort((a, b) => communityOf[a] - communityOf[b] || a - b);
    const count = Math.ceil(set.length / pieceSize);
    for (let piece = 0; piece < count; piece++) {
      const from = Math.floor((set.length * piece) / count);
      pieces.push(set.slice(from, Math.floor((set.length * (piece + 1)) / count)));
    }
  }
  pieces.sort((a, b) => b.length - a.length || a[0] - b[0]);
  for (const piece of pieces) {
    const start = piece[0] * copies;
    const row = [...writes.subarray(start, start + copies)].filter((member) => member !== noMember);
    row.sort((a, b) => masters[a] * shares[b] - masters[b] * shares[a] || a - b);
    for (const account of piece) writes.set(row, account * copies);
    masters[row[0]] += piece.length;
  }
}

/** Fixed members first, then those of before in their order, then newcomers in theirs. */
function keepSeniority(lists: CopyLists, previous: CopyLists, account: number, fixed: number): void {
  const { copies, writes } = lists;
  const start = account * copies;
  const row = [...writes.subarray(start, start + copies)].filter((member) => member !== noMember);
  const old = [...previous.writes.subarray(start, start + copies), ...(previous.reads.get(account) ?? [])];
  const rank = (member: number): number => {
    const pinned = row.indexOf(member);
    if (pinned < fixed) return pinned - copies;
    const before = old.indexOf(member);
    return before >= 0 ? before : old.length + pinned;
  };
  const sorted = row.toSorted((a, b) => rank(a) - rank(b));
  sorted.forEach((member, place) => {
    writes[start + place] = member;
  });
}
