import { noGroup, type PlacedGroup, type PreviousPlacement } from './problem.ts';

/** In place of a member where an account has fewer write copies than asked. */
export const noMember = 0xffff;

/**
 * The ordered copies of every account: a fixed row of write copies (master first) and, for the few hubs, read copies.
 */
export interface CopyLists {
  accounts: number;
  /** write copies an account */
  copies: number;
  /** accounts × copies; `noMember` fills a row that is short */
  writes: Uint16Array;
  /** account → further members, which serve reads */
  reads: Map<number, number[]>;
}

export function emptyLists(accounts: number, copies: number): CopyLists {
  return { accounts, copies, writes: new Uint16Array(accounts * copies).fill(noMember), reads: new Map() };
}

/** Every member that holds an account, master first. */
export function membersOf(lists: CopyLists, account: number): number[] {
  const members: number[] = [];
  for (let i = account * lists.copies; i < (account + 1) * lists.copies; i++) {
    if (lists.writes[i] !== noMember) members.push(lists.writes[i]);
  }
  const reads = lists.reads.get(account);
  if (reads) members.push(...reads);
  return members;
}

/**
 * Forms groups: accounts with the same ordered list, the same number of write copies and the same marks share
 * one. Groups are numbered by accounts descending, then by list, except that a group with the list of an earlier
 * placement keeps its number where `previous` is given, so that deltas stay small.
 */
export function formGroups(
  lists: CopyLists,
  isPinned: (account: number) => boolean,
  isHub: (account: number) => boolean,
  isHashed: (account: number) => boolean,
): { groupOf: Uint32Array; groups: PlacedGroup[] } {
  const groupOf = new Uint32Array(lists.accounts).fill(noGroup);
  const numberOf = new Map<string, number>();
  const groups: PlacedGroup[] = [];
  for (let account = 0; account < lists.accounts; account++) {
    const members = membersOf(lists, account);
    if (members.length === 0) continue;
    const extra = lists.reads.get(account)?.length ?? 0;
    const pinned = isPinned(account);
    const hub = extra > 0 || isHub(account);
    const hashed = isHashed(account);
    const marks = `${pinned ? 'p' : ''}${hub ? 'h' : ''}${hashed ? '#' : ''}`;
    const key = `${members.join()}/${members.length - extra}${marks}`;
    let group = numberOf.get(key);
    if (group === undefined) {
      group = groups.length;
      numberOf.set(key, group);
      const copies = members.length - extra;
      groups.push({ members, copies, hub, pinned, ...(hashed && { hashed }), accounts: 0 });
    }
    groupOf[account] = group;
    groups[group].accounts++;
  }
  const order = groups.map((_, group) => group);
  order.sort(
    (a, b) => groups[b].accounts - groups[a].accounts || compareLists(groups[a].members, groups[b].members),
  );
  const rank = new Uint32Array(groups.length);
  order.forEach((group, position) => {
    rank[group] = position;
  });
  for (let account = 0; account < groupOf.length; account++) {
    if (groupOf[account] !== noGroup) groupOf[account] = rank[groupOf[account]];
  }
  return { groupOf, groups: order.map((group) => groups[group]) };
}

function compareLists(a: readonly number[], b: readonly number[]): number {
  for (let i = 0; i < a.length && i < b.length; i++) if (a[i] !== b[i]) return a[i] - b[i];
  return a.length - b.length;
}

/**
 * The lists of an earlier placement, in today's member indexes: members that are gone or not usable drop out, the order
 * of those that stay survives (it is seniority), and rows may come out short.
 */
export function listsOfPrevious(
  previous: PreviousPlacement,
  accounts: number,
  copies: number,
  memberIds: readonly string[],
  usable: readonly number[],
): CopyLists {
  const lists = emptyLists(accounts, copies);
  const isUsable = new Set(usable);
  const today = new Map(memberIds.map((id, index) => [id, index]));
  const translate = (index: number): number => {
    const now = previous.members ? today.get(previous.members[index]) : index;
    return now !== undefined && isUsable.has(now) ? now : noMember;
  };
  const rows = previous.groups.map((group) => {
    const writes: number[] = [];
    const reads: number[] = [];
    group.members.forEach((index, position) => {
      const now = translate(index);
      if (now !== noMember) (position < group.copies ? writes : reads).push(now);
    });
    // A read copy is promoted before an account is copied anew.
    while (writes.length < copies && reads.length > 0) writes.push(reads.shift() as number);
    return { writes, reads: [...writes.slice(copies), ...reads], full: writes.slice(0, copies) };
  });
  const known = Math.min(accounts, previous.groupOf.length);
  for (let account = 0; account < known; account++) {
    const row = rows[previous.groupOf[account]];
    if (!row) continue;
    lists.writes.set(row.full, account * copies);
    if (row.reads.length > 0) lists.reads.set(account, [...row.reads]);
  }
  return lists;
}
