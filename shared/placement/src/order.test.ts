import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type CopyLists, emptyLists } from './copy-lists.ts';
import { orderCopies } from './order.ts';

function listsOf(rows: readonly (readonly number[])[]): CopyLists {
  const lists = emptyLists(rows.length, 3);
  rows.forEach((row, account) => {
    lists.writes.set(row, account * 3);
  });
  return lists;
}

/** @param orphans accounts whose master is gone */
function order(
  rows: readonly (readonly number[])[],
  previous: readonly (readonly number[])[] | undefined,
  orphans: readonly number[],
  { members = 4, fixed = [] as readonly number[] } = {},
): number[][] {
  const lists = listsOf(rows);
  orderCopies({
    lists,
    communityOf: new Uint32Array(rows.length),
    fixed: Uint8Array.from(rows, (_, account) => fixed[account] ?? 0),
    isHashed: () => false,
    previous: previous && listsOf(previous),
    isOrphan: (account) => orphans.includes(account),
    usable: Array.from({ length: members }, (_, i) => i),
    shares: new Float64Array(members).fill((rows.length * 3) / members),
  });
  return rows.map((_, account) => [...lists.writes.subarray(account * 3, account * 3 + 3)]);
}

const times = <T>(count: number, row: readonly T[]): T[][] => Array.from({ length: count }, () => [...row]);

describe('the order of copies', () => {
  it('is that of before, with newcomers last', () => {
    assert.deepEqual(order([[0, 1, 2]], [[2, 1]], []), [[2, 1, 0]]);
  });

  it('the oldest replica that has room succeeds a master that is gone', () => {
    const rows = [...times(8, [1, 2, 3]), ...times(4, [2, 3, 0]), ...times(4, [3, 2, 0])];
    const before = [...times(8, [1, 2]), ...times(4, [2, 3, 0]), ...times(4, [3, 2, 0])];
    const ordered = order(rows, before, [0, 1, 2, 3, 4, 5, 6, 7]);
    // Each is due four and may have five: 1 takes five, 2 and then the newcomer one, and where nobody has room one is over.
    assert.deepEqual(ordered.slice(8), rows.slice(8), 'who has a master keeps it');
    const masters = [0, 1, 2, 3].map((member) => ordered.filter(([master]) => master === member).length);
    assert.deepEqual(masters, [0, 6, 5, 5]);
    for (const [, ...rest] of ordered.slice(0, 8))
      assert.deepEqual(rest, rest.toSorted(), 'the others keep their order');
  });

  it('a pinned master is nobody’s to replace', () => {
    const pinned = order(times(6, [1, 2, 3]), times(6, [1, 2]), [0, 1, 2, 3, 4, 5], {
      fixed: [1, 1, 1, 1, 1, 1],
    });
    assert.deepEqual(pinned, times(6, [1, 2, 3]));
  });

  it('of new accounts: masters, and who succeeds them, are spread', () => {
    const ordered = order(times(60, [0, 1, 2]), undefined, [], { members: 3 });
    const counts = new Map<string, number>();
    for (const row of ordered)
      counts.set(row.slice(0, 2).join(), (counts.get(row.slice(0, 2).join()) ?? 0) + 1);
    assert.equal(counts.size, 6);
    for (const count of counts.values()) assert.ok(count >= 8 && count <= 12, String(count));
  });
});
