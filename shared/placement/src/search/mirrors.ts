import type { SearchState } from './state.ts';

/** Members that hold the same accounts; more than `copies` of them take turns. */
export interface MirrorSet {
  members: number[];
  /** accounts that fit within its members' caps */
  room: number;
}

/** Capacities that differ by less, in thousandths, are alike. */
const alike = 900;

/**
 * Cuts the members into sets of at least `copies` with room for all accounts that are not fixed: members of like room
 * stand together, those of one failure domain in different sets.
 * @returns nothing where members or domains do not allow it
 */
export function mirrorSets(state: SearchState): MirrorSet[] | undefined {
  const { k, copies, limits, accounts, fixed, sizes } = state;
  const room = new Float64Array(k);
  for (let member = 0; member < k; member++) room[member] = limits.caps[member];
  for (let account = 0; account < accounts; account++) {
    if (state.hashed[account] === 1) continue;
    for (
      let j = account * state.width;
      j < account * state.width + Math.min(fixed[account], sizes[account]);
      j++
    )
      room[state.lists[j]]--;
  }
  const members = [...room.keys()].filter((member) => room[member] > 0);
  if (members.length < copies) return undefined;
  members.sort((a, b) => room[b] - room[a] || limits.domainOf[a] - limits.domainOf[b] || a - b);
  const sets: MirrorSet[] = [];
  for (let from = 0; from < members.length; ) {
    let to = from + 1;
    while (
      to < members.length &&
      (to - from < copies ||
        members.length - to < copies ||
        room[members[to]] * 1000 >= room[members[from]] * alike)
    )
      to++;
    sets.push(...deal(state, members.slice(from, to), room));
    from = to;
  }
  if (limits.strictDomains && !sets.every((set) => differ(set.members, limits.domainOf))) return undefined;
  return sets;
}

/** Deals like members over as many sets as there are full ones, members of a domain to different sets. */
function deal(state: SearchState, members: number[], room: Float64Array): MirrorSet[] {
  const { copies, limits } = state;
  const count = Math.floor(members.length / copies);
  const order = members.toSorted((a, b) => limits.domainOf[a] - limits.domainOf[b] || a - b);
  const sets: MirrorSet[] = Array.from({ length: count }, () => ({ members: [], room: 0 }));
  // Backwards, so that the last sets, which are the least read, get the members left over.
  order.forEach((member, turn) => {
    sets[count - 1 - (turn % count)].members.push(member);
  });
  for (const set of sets) {
    const least = set.members.reduce((low, member) => Math.min(low, room[member]), Number.POSITIVE_INFINITY);
    set.room = Math.floor((least * set.members.length) / copies);
  }
  return sets;
}

function differ(members: readonly number[], domainOf: Int32Array): boolean {
  return new Set(members.map((member) => domainOf[member])).size === members.length;
}
