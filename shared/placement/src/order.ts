import { type CopyLists, noMember } from './copy-lists.ts';

/** A set of copies larger than one over this many times the members is cut, so that masters can be balanced. */
const cutsPerMember = 16;
/** A replica becomes master while it then has at most so many times the masters that it is due: below the 1.3 promised. */
const mastersMost = 1.28;

export interface OrderInput {
  lists: CopyLists;
  communityOf: Uint32Array;
  /** pinned copies at the front of an account's row keep their place */
  fixed: Uint8Array;
  /** accounts outside the search, which keep their order and count for nobody */
  isHashed: (account: number) => boolean;
  /** order before, without members that are gone: it is seniority, and survives */
  previous: CopyLists | undefined;
  /** accounts whose master is gone */
  isOrphan: (account: number) => boolean;
  usable: readonly number[];
  /** copies each member is due */
  shares: Float64Array;
}

/**
 * Decides the order of write copies. Accounts known before keep the order of the members that stay, newcomers last; where the
 * master is gone the oldest replica succeeds it that then has at most 1.28 × its due of masters, else a newcomer that has,
 * else who has fewest for its due: only the new master jumps ahead. For accounts that are new the master is
 * the member with fewest masters, and the second the one that succeeds that master least often. Accounts with the same list
 * are decided on together, in pieces by community, the largest first.
 */
export function orderCopies(input: OrderInput): void {
  const { lists, fixed, previous } = input;
  const { copies, writes } = lists;
  const masters = new Masters(input);
  const orphans = new Map<string, number[]>();
  const unordered = new Map<string, number[]>();
  for (let account = 0; account < lists.accounts; account++) {
    const start = account * copies;
    if (writes[start] === noMember || input.isHashed(account)) continue;
    masters.accounts++;
    const row = writes.subarray(start, start + copies);
    const survivors = previous && survivorsOf(row, previous, account);
    if (survivors === undefined || previous!.writes[start] === noMember) {
      if (fixed[account] > 0) masters.add(row, 1);
      else collect(unordered, row.sort().join(), account);
      continue;
    }
    keepSeniority(lists, previous!, account, fixed[account]);
    if (fixed[account] > 0 || !input.isOrphan(account)) masters.add(row, 1);
    else collect(orphans, `${row.join()}/${survivors}`, account);
  }
  for (const [key, piece] of masters.pieces(orphans)) {
    const row = rowOf(lists, piece[0]);
    masters.succeed(row, Number(key.slice(key.indexOf('/') + 1)), piece.length);
    for (const account of piece) writes.set(row, account * copies);
    masters.add(row, piece.length);
  }
  for (const [, piece] of masters.pieces(unordered)) {
    const row = rowOf(lists, piece[0]);
    masters.arrange(row);
    for (const account of piece) writes.set(row, account * copies);
    masters.add(row, piece.length);
  }
}

function collect(byKey: Map<string, number[]>, key: string, account: number): void {
  const accounts = byKey.get(key);
  if (accounts) accounts.push(account);
  else byKey.set(key, [account]);
}

function rowOf({ writes, copies }: CopyLists, account: number): number[] {
  return [...writes.subarray(account * copies, (account + 1) * copies)].filter(
    (member) => member !== noMember,
  );
}

/** How many of a row's members held the account before. */
function survivorsOf(row: Uint16Array, previous: CopyLists, account: number): number {
  const start = account * previous.copies;
  const before = previous.writes.subarray(start, start + previous.copies);
  const reads = previous.reads.get(account);
  return row.reduce(
    (count, member) =>
      count + Number(member !== noMember && (before.includes(member) || reads?.includes(member) === true)),
    0,
  );
}

/** How many accounts each member is the master of, against its due, and whom it would succeed. */
class Masters {
  /** that have a master, or will */
  accounts = 0;
  readonly #input: OrderInput;
  readonly #count: Float64Array;
  /** member × members: accounts of the first at which the second is next in order */
  readonly #next: Float64Array;

  constructor(input: OrderInput) {
    const members = input.shares.length;
    this.#input = input;
    this.#count = new Float64Array(members);
    this.#next = new Float64Array(members * members);
  }

  add(row: ArrayLike<number>, accounts: number): void {
    this.#count[row[0]] += accounts;
    if (row.length > 1 && row[1] !== noMember) this.#next[row[0] * this.#count.length + row[1]] += accounts;
  }

  /** Accounts of each list, cut so that masters can be balanced; the largest first. */
  pieces(byKey: ReadonlyMap<string, number[]>): [string, number[]][] {
    const { communityOf, usable } = this.#input;
    const size = Math.max(1, Math.ceil(this.accounts / (usable.length * cutsPerMember)));
    const pieces: [string, number[]][] = [];
    for (const [key, accounts] of byKey) {
      accounts.sort((a, b) => communityOf[a] - communityOf[b] || a - b);
      const count = Math.ceil(accounts.length / size);
      for (let piece = 0; piece < count; piece++) {
        const from = Math.floor((accounts.length * piece) / count);
        pieces.push([key, accounts.slice(from, Math.floor((accounts.length * (piece + 1)) / count))]);
      }
    }
    return pieces.sort(([, a], [, b]) => b.length - a.length || a[0] - b[0]);
  }

  /** Puts the new master of so many accounts first. @param survivors how many at the front held them before */
  succeed(row: number[], survivors: number, accounts: number): void {
    const { shares, lists } = this.#input;
    const fits = (member: number): boolean =>
      (this.#count[member] + accounts) * lists.copies <= mastersMost * shares[member];
    const next =
      row.slice(0, survivors).find(fits) ??
      row.slice(survivors).find(fits) ??
      [...row].sort((a, b) => this.#byDue(this.#count, a, b))[0];
    row.splice(row.indexOf(next), 1);
    row.unshift(next);
  }

  /** Of accounts that are new: who has fewest masters, then who succeeds that one least often, and so on. */
  arrange(row: number[]): void {
    row.sort((a, b) => this.#byDue(this.#count, a, b));
    const members = this.#count.length;
    const behind = this.#next.subarray(row[0] * members, (row[0] + 1) * members);
    const rest = row.slice(1).sort((a, b) => this.#byDue(behind, a, b));
    row.splice(1, rest.length, ...rest);
  }

  #byDue(count: Float64Array, a: number, b: number): number {
    const { shares } = this.#input;
    return count[a] * shares[b] - count[b] * shares[a] || a - b;
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
