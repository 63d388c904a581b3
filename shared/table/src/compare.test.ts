import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  buildRows,
  compareTables,
  encodeTable,
  PlacementTable,
  SLOT_GROUPS,
  type TableGroup,
  type TableMember,
} from './index.ts';

const member = (n: number): TableMember => ({
  id: String(n).repeat(64),
  url: `wss://relay-${n}.example`,
  name: `relay ${n}`,
  operator: `operator ${n}`,
  capacity: { copies: 1, connections: 1, reads: 1 },
  state: 'active',
});
const group = (...members: number[]): TableGroup => ({
  members,
  copies: members.length,
  hub: false,
  pinned: false,
});

function table(epoch: number, members: TableMember[], lists: TableGroup[], accounts: [number, number][]) {
  const keys = new Uint8Array(accounts.length * 32);
  accounts.forEach(([key], i) => {
    keys.fill(key, i * 32, i * 32 + 32);
  });
  const rows = buildRows(
    keys,
    Uint32Array.from(accounts, ([, list]) => SLOT_GROUPS + list),
  );
  const slots = Array.from({ length: SLOT_GROUPS }, () => group(0, 1));
  return new PlacementTable(
    encodeTable({ cluster: 'c', epoch, members, groups: [...slots, ...lists], moves: [], rows }),
  );
}

test('what became of accounts, members and slots is counted, whatever the indexes are', () => {
  const before = table(
    1,
    [member(1), member(2), member(3)],
    [group(0, 1), group(1, 2), group(2, 0)],
    [
      [1, 0],
      [2, 0],
      [3, 1],
      [4, 2],
    ],
  );
  // Member 3 is gone, member 4 has come, and indexes mean others.
  const after = table(
    2,
    [member(2), member(1), { ...member(4), state: 'draining' }],
    [group(1, 0), group(0, 1), group(0, 2)],
    [
      [1, 0],
      [2, 1],
      [3, 2],
      [5, 2],
    ],
  );
  assert.deepEqual(compareTables(before, after), {
    members: { joined: [member(4).id], left: [member(3).id], changed: [] },
    accounts: { listed: 1, unlisted: 1, moved: 1, newMaster: 1, same: 1 },
    slots: { moved: 0, newMaster: SLOT_GROUPS },
    copies: {
      [member(1).id]: { gained: 0, lost: 1 },
      [member(2).id]: { gained: 1, lost: 0 },
      [member(3).id]: { gained: 0, lost: 2 },
      [member(4).id]: { gained: 2, lost: 0 },
    },
    moves: {},
  });
  const none = compareTables(before, before);
  assert.deepEqual([none.accounts.same, none.copies, none.slots.moved], [4, {}, 0]);
});
