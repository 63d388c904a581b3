import type { Enforcer } from '@covey/enforcement';

interface Fill {
  /** Members (ids) that what they have was taken from. */
  sources: Set<string>;
}

/**
 * Which groups this member's copy may be incomplete of: all that it shares with others after a start, for it was away, and
 * those that a new table gives it. A group is full again when everything was taken from one holder that is full itself, or
 * from every other holder that can be reached.
 */
export class Filling {
  readonly #groups = new Map<number, Fill>();
  readonly #held = new Set<number>();
  /** Members (ids) that hold anything that is held here. */
  peers: ReadonlySet<string> = new Set();
  #enforcer: Enforcer | undefined;

  /** Whether a group is being filled, or any for −1. */
  has = (group: number): boolean => (group < 0 ? this.#groups.size > 0 : this.#groups.has(group));

  /** Groups that are being filled. */
  get size(): number {
    return this.#groups.size;
  }

  get groups(): number[] {
    return [...this.#groups.keys()];
  }

  /** Under a new table: groups that are new here have to be filled, those that went are forgotten. */
  update(enforcer: Enforcer): void {
    this.#enforcer = enforcer;
    const held = new Set<number>();
    const peers = new Set<number>();
    for (const { group, others } of enforcer.held()) {
      held.add(group);
      for (const other of others) peers.add(other);
      if (others.length > 0 && !this.#held.has(group)) this.#groups.set(group, { sources: new Set() });
      else if (others.length === 0) this.#groups.delete(group);
    }
    for (const group of this.#groups.keys()) if (!held.has(group)) this.#groups.delete(group);
    const members = enforcer.table?.members ?? [];
    this.peers = new Set([...peers].map((index) => members[index]!.id));
    this.#held.clear();
    for (const group of held) this.#held.add(group);
  }

  /** Members (ids) that hold what is being filled here and were not asked yet, those of the most groups first. */
  wanted(): string[] {
    const members = this.#enforcer?.table?.members ?? [];
    const counts = new Map<string, number>();
    for (const [group, { sources }] of this.#groups)
      for (const index of this.#enforcer!.othersOfGroup(group)) {
        const { id } = members[index]!;
        if (!sources.has(id)) counts.set(id, (counts.get(id) ?? 0) + 1);
      }
    return [...counts].sort((a, b) => b[1] - a[1]).map(([id]) => id);
  }

  /**
   * Everything that `member` shares with this one was taken from it.
   * @param full it is not filling anything itself that the two share
   * @param reachable whether another member can be reached now
   */
  taken(member: string, full: boolean, reachable: (member: string) => boolean): void {
    const members = this.#enforcer?.table?.members ?? [];
    for (const [group, { sources }] of this.#groups) {
      const others = this.#enforcer!.othersOfGroup(group).map((index) => members[index]!.id);
      if (!others.includes(member)) continue;
      sources.add(member);
      if (full || others.every((other) => sources.has(other) || !reachable(other)))
        this.#groups.delete(group);
    }
  }
}
