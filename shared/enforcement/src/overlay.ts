import type { MemberVerdicts } from '@covey/liveness';
import { rendezvous } from '@covey/placement';
import type { PlacementTable, TableGroup } from '@covey/table';
import { STANDING, standingsOf } from './standing.ts';

/** A list of members as it holds while some of them are dead. */
export interface OverlaidList {
  /** Members that live: those that serve, then those that return, each in the table's order; then those appointed. */
  members: readonly number[];
  /** How many of `members`, from the front, take clients' writes. */
  copies: number;
  /** Members of the table's list that are dead. They keep their place, and get what they missed when they return. */
  dead: readonly number[];
  /** Members that hold a copy in place of dead ones, which they fill first. */
  appointed: readonly number[];
}

/** Weights of rendezvous hashing, relative to the largest capacity. */
const WEIGHT = 1024;
/** Live copies below which a dead member is replaced at once, and not only when it is absent. */
const COPIES_MIN = 2;

/**
 * Who acts for whom while members are dead: the same for everyone who has the same table and the same verdicts, without any
 * message or vote. The oldest live copy in the table's order is the acting master; where copies are missing, further members
 * are appointed by weighted rendezvous hashing, of other operators than the live copies where there are any.
 * Only made when somebody is dead or returning.
 */
export class Overlay {
  readonly #table: PlacementTable;
  readonly #standings: Uint8Array;
  readonly #majority: boolean;
  readonly #weighted: readonly { id: string; weight: number }[];

  private constructor(table: PlacementTable, standings: Uint8Array, majority: boolean) {
    this.#table = table;
    this.#standings = standings;
    this.#majority = majority;
    const usable = (i: number) => table.members[i]!.state === 'active' && standings[i] === STANDING.serves;
    const largest = Math.max(1, ...table.members.map(({ capacity }) => capacity.copies));
    this.#weighted = table.members.map(({ id, capacity }, i) => ({
      id,
      weight:
        usable(i) && capacity.copies > 0 ? Math.max(1, Math.floor((capacity.copies * WEIGHT) / largest)) : 0,
    }));
  }

  /** Undefined when every member serves: the table holds as it is. */
  static of(table: PlacementTable, verdicts: MemberVerdicts): Overlay | undefined {
    const standings = standingsOf(table, verdicts);
    return standings && new Overlay(table, standings, verdicts.majority);
  }

  serves(member: number): boolean {
    return this.#standings[member] === STANDING.serves;
  }

  allServe(members: readonly number[]): boolean {
    return members.every((member) => this.#standings[member] === STANDING.serves);
  }

  isDead(member: number): boolean {
    return this.#standings[member]! >= STANDING.dead;
  }

  /** Whether any of them lives. */
  lives(members: readonly number[]): boolean {
    return members.some((member) => !this.isDead(member));
  }

  /** Members that live: first those that serve. */
  living(members: readonly number[]): number[] {
    const of = (standing: number) => members.filter((member) => this.#standings[member] === standing);
    return [...of(STANDING.serves), ...of(STANDING.returning)];
  }

  /**
   * @param group its number: it decides who is appointed
   * @param list the list of the group that is read now
   * @param other the group's other list while it moves: its members hold copies too, and nobody is appointed beside them
   */
  list(group: number, list: TableGroup, other?: TableGroup): OverlaidList {
    const { members, copies } = list;
    if (this.allServe(members)) return { members, copies, dead: [], appointed: [] };
    const missing = this.missing(list, other);
    const appointed =
      missing > 0 ? this.#appoint(group, missing, [...members, ...(other?.members ?? [])]) : [];
    const all = [...this.living(members), ...appointed];
    const dead = members.filter((member) => this.isDead(member));
    return { members: all, copies: Math.min(copies, all.length), dead, appointed };
  }

  /** How many members are appointed for a group with these lists. */
  missing({ members, copies }: TableGroup, other?: TableGroup): number {
    if (!this.#majority || !members.some((member) => this.isDead(member))) return 0;
    const copiesLeft = new Set([...this.living(members), ...this.living(other?.members ?? [])]).size;
    const replaceable = members.filter(
      (member) =>
        this.isDead(member) && (copiesLeft < COPIES_MIN || this.#standings[member] === STANDING.absent),
    ).length;
    return Math.max(0, Math.min(copies - copiesLeft, replaceable));
  }

  #appoint(group: number, count: number, taken: readonly number[]): number[] {
    const { members } = this.#table;
    const candidates = this.#weighted.map((member, i) =>
      taken.includes(i) ? { ...member, weight: 0 } : member,
    );
    const domainOf = (i: number) => members[i]!.operator || members[i]!.id;
    const domains = new Set(this.living(taken).map(domainOf));
    const order = rendezvous(`group:${group}`, candidates, members.length, domainOf);
    const apart = order.filter((i) => !domains.has(domainOf(i)));
    return [...apart, ...order.filter((i) => domains.has(domainOf(i)))].slice(0, count);
  }
}
