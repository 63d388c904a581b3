import {
  EXCEPTION_ROW_BYTES,
  KEY_BYTES,
  type PlacementTable,
  PREFIX_BYTES,
  PREFIX_ROW_BYTES,
  SLOT_GROUPS,
} from '@covey/table';

/** How much of the table a member holds. Accounts are those that the table lists; slots are counted apart. */
export interface Holdings {
  /** Accounts whose master it is. */
  masters: number;
  /** Accounts of which it holds a replica. */
  replicas: number;
  /** Accounts of which it holds a read copy. */
  readCopies: number;
  /** Groups that it holds in any role, slots not among them. */
  groups: number;
  /** Slots whose master it is. */
  slots: number;
}

/** Holdings by member index: one pass over the rows, one over the groups. */
export function holdingsOf(table: PlacementTable): Holdings[] {
  const { groups, rows } = table.content();
  const accounts = new Uint32Array(groups.length);
  const count = (bytes: Uint8Array, rowBytes: number, groupAt: number) => {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    for (let at = groupAt; at < bytes.length; at += rowBytes) accounts[view.getUint32(at, true)]!++;
  };
  count(rows.prefixes, PREFIX_ROW_BYTES, PREFIX_BYTES);
  count(rows.exceptions, EXCEPTION_ROW_BYTES, KEY_BYTES);
  const holdings = table.members.map(() => ({ masters: 0, replicas: 0, readCopies: 0, groups: 0, slots: 0 }));
  groups.forEach(({ members, copies }, group) => {
    if (group < SLOT_GROUPS) {
      holdings[members[0]!]!.slots++;
      return;
    }
    members.forEach((member, i) => {
      const role = i === 0 ? 'masters' : i < copies ? 'replicas' : 'readCopies';
      holdings[member]![role] += accounts[group]!;
      holdings[member]!.groups++;
    });
  });
  return holdings;
}
