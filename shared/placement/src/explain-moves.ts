import type { PlacementExplainer } from './explain.ts';
import { noGroup, type Placement, type PlacementMember, type PreviousPlacement } from './problem.ts';

/**
 * Why accounts moved, first reason that fits: a member that held them is no member any more, is draining, or denies them;
 * their relay list pins them; trust changed whether the search places them; they went to a member that joined; their
 * readers open fewer relays this way; else load had to be divided.
 */
export const MOVE_REASONS = [
  'member left',
  'member draining',
  'denial',
  'pin',
  'trust',
  'member joined',
  'readers',
  'balance',
] as const;
export type MoveReason = (typeof MOVE_REASONS)[number];

export interface MovesExplained {
  /** accounts known before whose set of members changed */
  accounts: number;
  byReason: Record<MoveReason | 'new' | 'gone', number>;
  /** copies that each member got and gave up, by index; moved accounts alone */
  byMember: { came: number; left: number }[];
}

export interface MovesProblem {
  /** with ids of its members; `groupOf` in today's numbering, `noGroup` for who was not known */
  previous: PreviousPlacement | undefined;
  placement: Placement;
  members: readonly PlacementMember[];
  pins: ReadonlyMap<number, readonly number[]>;
  explainer: PlacementExplainer;
  /** the account in the explainer's numbering, or −1 when it is not in there */
  explained: (account: number) => number;
  /** accounts listed before that are no accounts any more */
  gone: number;
}

/** Compares a placement with the one before, in counts. */
export function explainMoves(problem: MovesProblem): MovesExplained {
  const { previous, placement, members } = problem;
  const byReason = { new: 0, gone: problem.gone } as MovesExplained['byReason'];
  for (const reason of MOVE_REASONS) byReason[reason] = 0;
  const byMember = members.map(() => ({ came: 0, left: 0 }));
  const indexOf = new Map(members.map(({ id }, index) => [id, index]));
  const known = new Set(previous?.members);
  const rowsBefore = previous?.groups.map((group) =>
    group.members.map((member) => indexOf.get(previous.members?.[member] ?? '') ?? -1),
  );
  let accounts = 0;
  for (let account = 0; account < placement.groupOf.length; account++) {
    const group = placement.groups[placement.groupOf[account]];
    const number = previous?.groupOf[account] ?? noGroup;
    if (!group) continue;
    if (number === noGroup || !rowsBefore) {
      if (!group.hashed) byReason.new++;
      continue;
    }
    const before = rowsBefore[number];
    if (before.length === group.members.length && before.every((member) => group.members.includes(member)))
      continue;
    accounts++;
    for (const member of group.members) if (!before.includes(member)) byMember[member].came++;
    for (const member of before) if (member >= 0 && !group.members.includes(member)) byMember[member].left++;
    byReason[reasonOf(problem, account, before, group, (member) => !known.has(members[member].id))]++;
  }
  return { accounts, byReason, byMember };
}

function reasonOf(
  { members, pins, explainer, explained }: MovesProblem,
  account: number,
  before: readonly number[],
  group: Placement['groups'][number],
  isNew: (member: number) => boolean,
): MoveReason {
  if (before.includes(-1)) return 'member left';
  const left = before.filter((member) => !group.members.includes(member));
  const came = group.members.filter((member) => !before.includes(member));
  if (left.some((member) => members[member].draining)) return 'member draining';
  if (left.some((member) => members[member].denied?.(account))) return 'denial';
  if (group.pinned && pins.get(account)?.some((member) => came.includes(member))) return 'pin';
  if (group.hashed) return 'trust';
  if (came.some(isNew)) return 'member joined';
  // A copy more or less is the hub policy's, which serves readers too.
  if (left.length === 0 || came.length === 0) return 'readers';
  const number = explained(account);
  if (number < 0) return 'balance';
  // Back again, its readers would open more.
  const cheaper = came.some((from) => left.some((to) => explainer.costOf(number, from, to) > 0));
  return cheaper ? 'readers' : 'balance';
}
