import { followerCounts, reverseGraph } from '@covey/graph';
import { copyCaps, fairShares } from './capacity.ts';
import {
  type CopyLists,
  emptyLists,
  formGroups,
  listsOfPrevious,
  membersOf,
  noMember,
} from './copy-lists.ts';
import { spreadHubs } from './hubs.ts';
import { type PackInput, packPart } from './pack.ts';
import { communityParts } from './parts.ts';
import { applyPins } from './pins.ts';
import {
  InfeasiblePlacementError,
  type Placement,
  type PlacementProblem,
  type Shortfall,
  usableMembers,
} from './problem.ts';

/** Copies a member may hold above its fair share, in thousandths. */
const copyLimit = 1050;
/** Parts of communities that a member's share is made of: more balance better, fewer keep communities whole. */
const partsPerMember = 16;

export type PlaceProgress = (phase: string, done: number, total: number) => void;

/**
 * Decides which members hold each account. Deterministic: the same problem gives the same arrays.
 * @throws InvalidProblemError, InfeasiblePlacementError
 */
export function place(problem: PlacementProblem, onProgress: PlaceProgress = () => {}): Placement {
  const usable = usableMembers(problem);
  const { graph, members, copies } = problem;
  const accounts = graph.nodes;
  const shortfalls: Shortfall[] = [];
  const shares = fairShares(members, usable, accounts * copies, accounts);
  const caps = copyCaps(shares, copyLimit, accounts);
  const lists = problem.previous
    ? listsOfPrevious(
        problem.previous,
        accounts,
        copies,
        members.map((member) => member.id),
        usable,
      )
    : emptyLists(accounts, copies);
  const allows = (member: number, account: number): boolean => !members[member].denied?.(account);
  const domainOf = members.map((member) => member.operator ?? `member:${member.id}`);
  if (new Set(usable.map((member) => domainOf[member])).size < copies) {
    const operators = new Set(usable.map((member) => domainOf[member])).size;
    shortfalls.push({
      constraint: 'operators',
      accounts,
      detail: `${copies} copies on ${operators} operators: some copies share an operator`,
    });
  }
  dropDenied(lists, allows);
  const pinned = applyPins(problem, lists, usable, shares, allows, shortfalls);

  const input: PackInput = {
    graph,
    followers: reverseGraph(graph),
    lists,
    usable,
    caps,
    held: new Float64Array(members.length),
    masters: new Float64Array(members.length),
    allows,
    domainOf,
  };
  countHeld(input);
  const partSize = Math.max(1, Math.ceil(accounts / (usable.length * partsPerMember)));
  const parts = communityParts(problem.communityOf, partSize, () => false);
  parts.sort((a, b) => b.length - a.length || a[0] - b[0]);
  parts.forEach((part, done) => {
    packPart(input, part);
    if (done % 64 === 0) onProgress('pack', done, parts.length);
  });
  onProgress('pack', parts.length, parts.length);
  requireCopies(problem, lists, shortfalls);

  const popularity = followerCounts(graph);
  const hubs = spreadHubs(problem, input, popularity);
  const { groupOf, groups } = formGroups(
    lists,
    (account) => pinned.has(account),
    (account) => hubs.has(account),
  );
  onProgress('group', groups.length, groups.length);
  return { groupOf, groups, shortfalls };
}

function dropDenied(lists: CopyLists, allows: (member: number, account: number) => boolean): void {
  for (let account = 0; account < lists.accounts; account++) {
    const row = membersOf(lists, account);
    if (row.every((member) => allows(member, account))) continue;
    const kept = row.filter((member) => allows(member, account));
    for (let copy = 0; copy < lists.copies; copy++) {
      lists.writes[account * lists.copies + copy] = kept[copy] ?? noMember;
    }
    lists.reads.delete(account);
    if (kept.length > lists.copies) lists.reads.set(account, kept.slice(lists.copies));
  }
}

function countHeld(input: PackInput): void {
  const { lists } = input;
  for (let account = 0; account < lists.accounts; account++) {
    const row = membersOf(lists, account);
    for (const member of row) input.held[member]++;
    if (row.length > 0) input.masters[row[0]]++;
  }
}

/** Every account must have its copies; those that too few members allow stop the placement or are reported. */
function requireCopies(problem: PlacementProblem, lists: CopyLists, shortfalls: Shortfall[]): void {
  let short = 0;
  let fewest = lists.copies;
  let example = -1;
  for (let account = 0; account < lists.accounts; account++) {
    const missing = lists.writes[(account + 1) * lists.copies - 1] === noMember;
    if (!missing) continue;
    short++;
    const has = membersOf(lists, account).length;
    if (has < fewest) {
      fewest = has;
      example = account;
    }
  }
  if (short === 0) return;
  const detail =
    `${short} accounts are denied by so many members that fewer than ${lists.copies} are left; ` +
    `account ${example} has ${fewest}, ${lists.copies - fewest} short`;
  if (!problem.allowShortfall) throw new InfeasiblePlacementError('denied', lists.copies, fewest, detail);
  shortfalls.push({ constraint: 'denied', accounts: short, detail });
}
