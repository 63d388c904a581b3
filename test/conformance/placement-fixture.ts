import {
  buildRows,
  encodeTable,
  PlacementTable,
  SLOT_GROUPS,
  type TableGroup,
  type TableMember,
  type TableMove,
} from '@covey/table';

/** A list of members as a person writes it: master and replicas, then read copies. */
export interface FixtureGroup {
  members: readonly number[];
  /** How many of them take writes; all by default. */
  copies?: number;
  accounts: readonly string[];
  move?: { phase: TableMove['phase']; from: readonly number[]; copies?: number };
}

/** A small table made by hand: these groups, and every slot on `slotMembers`. */
export function fixtureTable({
  members,
  groups,
  slotMembers = [0],
  epoch = 1,
  cluster = 'test',
  operators,
}: {
  members: readonly { id: string; url: string }[];
  groups: readonly FixtureGroup[];
  slotMembers?: readonly number[];
  epoch?: number;
  cluster?: string;
  /** Of each member; all different when not given. */
  operators?: readonly string[];
}): PlacementTable {
  const listed = (list: readonly number[], copies = list.length): TableGroup => ({
    members: list,
    copies,
    hub: copies < list.length,
    pinned: false,
  });
  const slots = Array.from({ length: SLOT_GROUPS }, () => listed(slotMembers));
  const keys = groups.flatMap((group) => group.accounts);
  const bytes = new Uint8Array(keys.length * 32);
  keys.forEach((key, i) => {
    bytes.set(Buffer.from(key, 'hex'), i * 32);
  });
  const groupOf = Uint32Array.from(groups.flatMap((group, i) => group.accounts.map(() => SLOT_GROUPS + i)));
  return new PlacementTable(
    encodeTable({
      cluster,
      epoch,
      members: members.map(
        ({ id, url }, i): TableMember => ({
          id,
          url,
          name: `member ${i + 1}`,
          operator: operators?.[i] ?? `operator ${i + 1}`,
          capacity: { copies: 1, connections: 1, reads: 1 },
          state: 'active',
        }),
      ),
      groups: [...slots, ...groups.map((group) => listed(group.members, group.copies))],
      moves: groups.flatMap(({ move }, i) =>
        move ? [{ group: SLOT_GROUPS + i, phase: move.phase, from: listed(move.from, move.copies) }] : [],
      ),
      rows: buildRows(bytes, groupOf),
    }),
  );
}
