import { rendezvous } from '@covey/placement';
import type { TableGroup, TableMember } from '@covey/table';

/** Weights of rendezvous hashing, relative to the largest capacity. */
const WEIGHT = 1024;

/**
 * Who takes the place of a dead member in a group: live members with capacity that do not hold it, by weighted rendezvous
 * hashing, other operators than those of the holders first. The same choice as the overlay's by which members act until the
 * table says it (`@covey/enforcement`), so that what they filled meanwhile stays where it is.
 * @param holders members that hold a copy and stay
 * @param live whether a member (index) may be given copies
 * @returns at most `count` indexes
 */
export function appoint(
  group: number,
  holders: readonly number[],
  members: readonly TableMember[],
  live: (member: number) => boolean,
  count: number,
): number[] {
  const largest = Math.max(1, ...members.map(({ capacity }) => capacity.copies));
  const weighted = members.map(({ id, capacity, state }, index) => {
    const usable = state === 'active' && capacity.copies > 0 && live(index) && !holders.includes(index);
    return { id, weight: usable ? Math.max(1, Math.floor((capacity.copies * WEIGHT) / largest)) : 0 };
  });
  const domainOf = (index: number) => members[index]!.operator || members[index]!.id;
  const domains = new Set(holders.map(domainOf));
  const order = rendezvous(`group:${group}`, weighted, members.length, domainOf);
  const apart = order.filter((i) => !domains.has(domainOf(i)));
  return [...apart, ...order.filter((i) => domains.has(domainOf(i)))].slice(0, count);
}

/** Which list an account goes to when some of the members that the target names are dead. */
export class EffectiveTarget {
  readonly #members: readonly TableMember[];
  readonly #dead: ReadonlySet<number>;

  /** @param dead indexes into `members` */
  constructor(members: readonly TableMember[], dead: ReadonlySet<number>) {
    this.#members = members;
    this.#dead = dead;
  }

  /**
   * The wanted list without its dead members: their places go first to live members that hold a copy now, then to members
   * appointed for the group. The order of the others stays. A list whose members are all dead stays as it is.
   * @param group number of the group in which the account is
   * @param held the list that is read now
   * @param bound the list that the group has or goes to: it stands while it will do, so that who was appointed stays
   */
  list(group: number, wanted: TableGroup, held: TableGroup, bound: TableGroup): TableGroup {
    if (!wanted.members.some((member) => this.#dead.has(member))) return wanted;
    if (this.#willDo(wanted, bound)) return bound;
    const writers = wanted.members.slice(0, wanted.copies).filter(this.#lives);
    const readCopies = wanted.members.slice(wanted.copies).filter(this.#lives);
    for (const member of held.members)
      if (writers.length < wanted.copies && this.#lives(member) && !writers.includes(member))
        writers.push(member);
    // Somebody must be there to fill from.
    if (writers.length === 0) return wanted;
    const missing = wanted.copies - writers.length;
    if (missing > 0) writers.push(...appoint(group, writers, this.#members, this.#lives, missing));
    const rest = readCopies.filter((member) => !writers.includes(member));
    return { ...wanted, members: [...writers, ...rest], copies: writers.length };
  }

  readonly #lives = (member: number): boolean => !this.#dead.has(member);

  /** Whether a list has all live members that are wanted, as many copies, and nobody dead. */
  #willDo(wanted: TableGroup, { members, copies, hub, pinned }: TableGroup): boolean {
    return (
      members.every(this.#lives) &&
      copies === wanted.copies &&
      hub === wanted.hub &&
      pinned === wanted.pinned &&
      wanted.members.every((member) => !this.#lives(member) || members.includes(member))
    );
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
