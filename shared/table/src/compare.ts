import { PREFIX_BYTES, PREFIX_ROW_BYTES, SLOT_GROUPS, type TableGroup } from './content.ts';
import { compareBytes, readU32 } from './rows.ts';
import type { PlacementTable } from './table.ts';

/** What differs between two tables, in counts: accounts by what became of them, members by what they gain and lose. */
export interface TableDifference {
  members: { joined: string[]; left: string[]; changed: string[] };
  accounts: {
    /** Listed now, and not before. */
    listed: number;
    /** Listed before, and not now: they live in their slots. */
    unlisted: number;
    /** Another set of members. */
    moved: number;
    /** The same set, another master. */
    newMaster: number;
    same: number;
  };
  slots: { moved: number; newMaster: number };
  /** Copies of listed accounts by member id, those without a change left out. */
  copies: Record<string, { gained: number; lost: number }>;
  /** Moves under way in the second table, by phase. */
  moves: Record<string, number>;
}

type Change = 'same' | 'new master' | 'moved';

/** What turns `from` into `to`. Exceptions (keys ground to share a prefix) are not counted. Pure. */
export function compareTables(from: PlacementTable, to: PlacementTable): TableDifference {
  const copies: TableDifference['copies'] = {};
  const count = (table: PlacementTable, members: Iterable<number>, what: 'gained' | 'lost', by: number) => {
    for (const member of members) {
      const id = table.members[member]!.id;
      copies[id] ??= { gained: 0, lost: 0 };
      copies[id][what] += by;
    }
  };
  const accounts = { listed: 0, unlisted: 0, moved: 0, newMaster: 0, same: 0 };
  for (const [pair, number] of pairsOf(from, to)) {
    const [before, after] = pair.split('/').map(Number) as [number, number];
    const old = before >= 0 ? from.group(before) : undefined;
    const now = after >= 0 ? to.group(after) : undefined;
    if (!old) accounts.listed += number;
    else if (!now) accounts.unlisted += number;
    else {
      const change = changeOf(from, old, to, now);
      if (change === 'moved') accounts.moved += number;
      else if (change === 'new master') accounts.newMaster += number;
      else accounts.same += number;
    }
    const oldIds = new Set(old?.members.map((m) => from.members[m]!.id));
    const nowIds = new Set(now?.members.map((m) => to.members[m]!.id));
    count(to, now?.members.filter((m) => !oldIds.has(to.members[m]!.id)) ?? [], 'gained', number);
    count(from, old?.members.filter((m) => !nowIds.has(from.members[m]!.id)) ?? [], 'lost', number);
  }
  const slots = { moved: 0, newMaster: 0 };
  for (let slot = 0; slot < SLOT_GROUPS; slot++) {
    const change = changeOf(from, from.group(slot), to, to.group(slot));
    if (change === 'moved') slots.moved++;
    else if (change === 'new master') slots.newMaster++;
  }
  const moves: Record<string, number> = {};
  for (const { phase } of to.moves()) moves[phase] = (moves[phase] ?? 0) + 1;
  return { members: memberChanges(from, to), accounts, slots, copies, moves };
}

function changeOf(a: PlacementTable, old: TableGroup, b: PlacementTable, now: TableGroup): Change {
  const before = old.members.map((m) => a.members[m]!.id);
  const after = now.members.map((m) => b.members[m]!.id);
  const set = new Set(before);
  if (before.length !== after.length || after.some((id) => !set.has(id))) return 'moved';
  return before[0] === after[0] ? 'same' : 'new master';
}

function memberChanges(from: PlacementTable, to: PlacementTable): TableDifference['members'] {
  const before = new Map(from.members.map((member) => [member.id, JSON.stringify(member)]));
  const after = new Map(to.members.map((member) => [member.id, JSON.stringify(member)]));
  return {
    joined: [...after.keys()].filter((id) => !before.has(id)),
    left: [...before.keys()].filter((id) => !after.has(id)),
    changed: [...after].filter(([id, json]) => before.has(id) && before.get(id) !== json).map(([id]) => id),
  };
}

/** `group before/group after` → accounts; −1 where a table does not list them. One walk over both tables' rows. */
function pairsOf(from: PlacementTable, to: PlacementTable): Map<string, number> {
  const pairs = new Map<string, number>();
  const add = (before: number, after: number) => {
    const key = `${before}/${after}`;
    pairs.set(key, (pairs.get(key) ?? 0) + 1);
  };
  const x = from.content().rows.prefixes;
  const y = to.content().rows.prefixes;
  const groupAt = (rows: Uint8Array, at: number) => readU32(rows, at + PREFIX_BYTES);
  for (let i = 0, j = 0; i < x.length || j < y.length; ) {
    const order = i >= x.length ? 1 : j >= y.length ? -1 : compareBytes(x, i, y, j, PREFIX_BYTES);
    add(order <= 0 ? groupAt(x, i) : -1, order >= 0 ? groupAt(y, j) : -1);
    if (order <= 0) i += PREFIX_ROW_BYTES;
    if (order >= 0) j += PREFIX_ROW_BYTES;
  }
  return pairs;
}
