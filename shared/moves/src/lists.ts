import type { TableGroup } from '@covey/table';

/** The list with all that a table says of it, as text: equal lists have equal keys. */
export function listKey({ members, copies, hub, pinned }: TableGroup): string {
  return `${members.join()}/${copies}/${hub ? 1 : 0}${pinned ? 1 : 0}`;
}

/** Whether the same members hold a copy, in whatever order: going from one to the other moves nothing. */
export function sameMembers(a: TableGroup, b: TableGroup): boolean {
  return a.members.length === b.members.length && a.members.every((member) => b.members.includes(member));
}

export function sameList(a: TableGroup, b: TableGroup): boolean {
  return listKey(a) === listKey(b);
}

/** Members of `to` that hold nothing under `from`. */
export function newHolders(from: TableGroup, to: TableGroup): number[] {
  return to.members.filter((member) => !from.members.includes(member));
}
