import {
  buildRows,
  compareBytes,
  encodeTable,
  PlacementTable,
  PREFIX_BYTES,
  SLOT_GROUPS,
  type TableGroup,
} from '@covey/table';
import type { MemberReport, StepInput } from '../model.ts';
import { DEFAULT_MOVE_POLICY } from '../model.ts';

/** Key number `i`, the same in every run: spread over the space, with a slot of its own choosing. */
export function keyOf(i: number): Uint8Array {
  const key = new Uint8Array(32);
  let state = Math.imul(i + 1, 0x9e3779b1) >>> 0;
  for (let at = 0; at < 32; at++) {
    state = (Math.imul(state ^ (state >>> 15), 0x85ebca6b) + 0x6d2b79f5) >>> 0;
    key[at] = state >>> 24;
  }
  return key;
}

export const memberId = (i: number) => (i + 1).toString(16).padStart(2, '0').repeat(32);

/** A list with as many copies as members. */
export function list(...members: number[]): TableGroup {
  return { members, copies: members.length, hub: false, pinned: false };
}

export interface SmallTable {
  epoch?: number;
  /** Numbers of the members, in the order of the table. */
  members: readonly number[];
  draining?: readonly number[];
  /** In indexes of `members`. */
  slots?: TableGroup;
  /** Account → its list, in indexes of `members`. */
  accounts: ReadonlyMap<number, TableGroup>;
}

/** A table of a few accounts; equal lists share a group. */
export function smallTable({
  epoch = 1,
  members,
  draining = [],
  slots,
  accounts,
}: SmallTable): PlacementTable {
  const groups: TableGroup[] = Array.from({ length: SLOT_GROUPS }, () => slots ?? list(0));
  const numbers = new Map<string, number>();
  const keys = new Uint8Array(accounts.size * 32);
  const groupOf = new Uint32Array(accounts.size);
  let row = 0;
  for (const [account, placed] of accounts) {
    const text = JSON.stringify(placed);
    let number = numbers.get(text);
    if (number === undefined) {
      number = groups.push(placed) - 1;
      numbers.set(text, number);
    }
    keys.set(keyOf(account), row * 32);
    groupOf[row++] = number;
  }
  return new PlacementTable(
    encodeTable({
      cluster: 'moves',
      epoch,
      members: members.map((i) => ({
        id: memberId(i),
        url: `wss://${i}.example`,
        name: `${i}`,
        operator: `operator ${i}`,
        capacity: { copies: 1, connections: 1, reads: 1 },
        state: draining.includes(i) ? 'draining' : 'active',
      })),
      groups,
      moves: [],
      rows: buildRows(keys, groupOf),
    }),
  );
}

/** Finds whole keys among the first `count`. */
export function wholeKeys(count: number): (bytes: Uint8Array, at: number) => Uint8Array | undefined {
  const keys = Array.from({ length: count }, (_, i) => keyOf(i));
  return (bytes, at) => keys.find((key) => compareBytes(key, 0, bytes, at, PREFIX_BYTES) === 0);
}

/** Everybody applies `epoch`, is full, and has for long. */
export function allUpToDate(members: readonly string[], epoch: number, nowMs: number): StepInput {
  const report = (): MemberReport => ({ epoch, heardAtMs: nowMs, filling: new Set() });
  return {
    phases: new Map(),
    reports: new Map(members.map((id) => [id, report()])),
    appliedSinceMs: () => 0,
    dead: new Set(),
    nowMs,
    targetSinceMs: 0,
    paused: false,
    quiet: true,
    policy: DEFAULT_MOVE_POLICY,
  };
}

/** Ids of the members that hold an account (or the slot of a key), in the order of its list. */
export function holdersOf(table: PlacementTable, account: number): string[] {
  return table.locate(keyOf(account)).members.map((member) => table.members[member]!.id);
}
