import { rendezvous, type WeightedMember, weightMax } from '@covey/placement';
import type { TableGroup, TableMember } from '@covey/table';
import { listKey } from './lists.ts';

/**
 * Who takes the place of a dead member in a list: live members with capacity that are not in it, by weighted rendezvous
 * hashing of the list, other failure domains first. Of the list, as that is what an account keeps from group to group.
 * @param list the list with its dead members
 * @param holders those of it that stay, and others that hold a copy
 * @param live whether a member (index) may be given copies
 * @returns at most `count` indexes
 */
export function appoint(
  list: readonly number[],
  holders: readonly number[],
  members: readonly TableMember[],
  live: (member: number) => boolean,
  count: number,
): number[] {
  const weighted: WeightedMember[] = members.map(({ id, capacity, state }, index) => {
    const usable = state === 'active' && live(index) && !holders.includes(index);
    return { id, weight: usable ? Math.min(weightMax, Math.max(0, Math.round(capacity.copies * 1024))) : 0 };
  });
  const taken = new Set(holders.map((holder) => members[holder]!.operator));
  const domain = (index: number) => members[index]!.operator;
  const order = rendezvous(
    `list:${list.map((index) => members[index]!.id).join()}`,
    weighted,
    members.length,
    domain,
  );
  return [...order.filter((i) => !taken.has(domain(i))), ...order.filter((i) => taken.has(domain(i)))].slice(
    0,
    count,
  );
}

/** Which list an account goes to when some of the members that the target names are dead. */
export class EffectiveTarget {
  readonly #members: readonly TableMember[];
  readonly #dead: ReadonlySet<number>;
  readonly #known = new Map<string, TableGroup>();

  /** @param dead indexes into `members` */
  constructor(members: readonly TableMember[], dead: ReadonlySet<number>) {
    this.#members = members;
    this.#dead = dead;
  }

  /**
   * The wanted list without its dead members: their places go first to live members that hold a copy now, then to members
   * appointed for the group. The order of the others stays. A list whose members are all dead stays as it is.
   */
  list(wanted: TableGroup, held: TableGroup): TableGroup {
    if (!wanted.members.some((member) => this.#dead.has(member))) return wanted;
    const key = `${listKey(wanted)}/${held.members.join()}`;
    let list = this.#known.get(key);
    if (!list) this.#known.set(key, (list = this.#without(wanted, held)));
    return list;
  }

  #without(wanted: TableGroup, held: TableGroup): TableGroup {
    const live = (member: number) => !this.#dead.has(member);
    const writers = wanted.members.slice(0, wanted.copies).filter(live);
    const readCopies = wanted.members.slice(wanted.copies).filter(live);
    for (const member of held.members)
      if (writers.length < wanted.copies && live(member) && !writers.includes(member)) writers.push(member);
    // Somebody must be there to fill from.
    if (!held.members.some(live) && writers.length === 0) return wanted;
    const missing = wanted.copies - writers.length;
    if (missing > 0) writers.push(...appoint(wanted.members, writers, this.#members, live, missing));
    if (writers.length === 0) return wanted;
    const rest = readCopies.filter((member) => !writers.includes(member));
    return { ...wanted, members: [...writers, ...rest], copies: Math.min(wanted.copies, writers.length) };
  }
}

/** The members of a step: those of the current table, in their places, then those that the target adds. */
export function unitedMembers(
  current: readonly TableMember[],
  target: readonly TableMember[],
): { members: TableMember[] /** Index in the target → index here. */; targetIndex: number[] } {
  const wanted = new Map(target.map((member) => [member.id, member]));
  const members = current.map((member) => wanted.get(member.id) ?? { ...member, state: 'draining' as const });
  const known = new Map(members.map(({ id }, index) => [id, index]));
  const targetIndex = target.map((member) => {
    const index = known.get(member.id);
    if (index !== undefined) return index;
    members.push(member);
    return members.length - 1;
  });
  return { members, targetIndex };
}
