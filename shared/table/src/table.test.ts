import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { seededUint32 } from '@covey/graph';
import { slotOf } from '@covey/placement';
import { bytesToHex } from '@noble/hashes/utils';
import fc from 'fast-check';
import {
  applyDelta,
  buildRows,
  DeltaMismatchError,
  diffTables,
  encodeTable,
  InvalidTableError,
  merkleRoot,
  PAGE_BYTES,
  PlacementTable,
  pageCount,
  provePage,
  SLOT_GROUPS,
  type TableContent,
  type TableGroup,
  type TableMember,
  verifyPage,
} from './index.ts';

const MEMBERS: TableMember[] = Array.from({ length: 5 }, (_, i) => ({
  id: String(i).repeat(64),
  url: `wss://relay-${i}.example`,
  name: `relay ${i}`,
  operator: `operator ${i}`,
  capacity: { copies: 1, connections: 1, reads: 1 },
  state: 'active',
}));

function group(members: number[], copies = members.length, flags: Partial<TableGroup> = {}): TableGroup {
  return { members, copies, hub: false, pinned: false, ...flags };
}

function keysOf(count: number, seed: number): Uint8Array {
  const rng = seededUint32(seed);
  const keys = new Uint8Array(count * 32);
  for (let i = 0; i < keys.length; i++) keys[i] = rng() & 0xff;
  return keys;
}

/** A table of `count` random accounts over groups that `seed` chooses. */
function content(count: number, seed: number, epoch = 1): TableContent {
  const rng = seededUint32(`${seed} groups`);
  const slots = Array.from({ length: SLOT_GROUPS }, (_, s) => group([s % 5, (s + 1) % 5, (s + 2) % 5]));
  const accountGroups = Array.from({ length: 7 }, (_, g) =>
    group([g % 5, (g + 2) % 5, (g + 3) % 5, (g + 4) % 5], 3, { hub: g === 0, pinned: g === 1 }),
  );
  const groupOf = Uint32Array.from({ length: count }, () => SLOT_GROUPS + (rng() % 7));
  return {
    cluster: 'test',
    epoch,
    members: MEMBERS,
    groups: [...slots, ...accountGroups],
    moves: [],
    rows: buildRows(keysOf(count, seed), groupOf),
  };
}

describe('table', () => {
  test('every listed key is found, and every other key lives in its slot', () => {
    const keys = keysOf(5000, 1);
    const groupOf = Uint32Array.from({ length: 5000 }, (_, i) => SLOT_GROUPS + (i % 7));
    const table = new PlacementTable(encodeTable({ ...content(0, 1), rows: buildRows(keys, groupOf) }));
    for (let i = 0; i < 5000; i++)
      assert.equal(table.listedGroupOf(keys.subarray(i * 32, i * 32 + 32)), groupOf[i]);
    const strangers = keysOf(2000, 2);
    for (let i = 0; i < 2000; i++) {
      const key = strangers.subarray(i * 32, i * 32 + 32);
      const located = table.locate(bytesToHex(key));
      assert.equal(located.source, 'slot');
      assert.equal(located.group, slotOf(key));
    }
  });

  test('sources say table or pin, and copies are told from read copies', () => {
    const keys = keysOf(2, 9);
    const table = new PlacementTable(
      encodeTable({ ...content(0, 1), rows: buildRows(keys, Uint32Array.of(SLOT_GROUPS, SLOT_GROUPS + 1)) }),
    );
    assert.equal(table.locate(keys.subarray(0, 32)).source, 'table');
    const pinned = table.locate(keys.subarray(32));
    assert.equal(pinned.source, 'pin');
    assert.deepEqual([pinned.members, pinned.copies], [[1, 3, 4, 0], 3]);
  });

  test('keys that share ten bytes are told apart', () => {
    const keys = keysOf(100, 3);
    keys.copyWithin(32, 0, 10);
    keys.copyWithin(64, 0, 10);
    const groupOf = Uint32Array.from({ length: 100 }, (_, i) => SLOT_GROUPS + (i % 7));
    const rows = buildRows(keys, groupOf);
    assert.equal(rows.exceptions.length, 3 * 36);
    const table = new PlacementTable(encodeTable({ ...content(0, 1), rows }));
    for (let i = 0; i < 100; i++)
      assert.equal(table.listedGroupOf(keys.subarray(i * 32, i * 32 + 32)), groupOf[i]);
    const stranger = keys.slice(0, 32);
    stranger[31]! ^= 1;
    assert.equal(table.listedGroupOf(stranger), -1);
  });

  test('keys ground to one prefix do not slow the search down to nothing', () => {
    const keys = keysOf(4096, 4);
    for (let i = 0; i < 4096; i++) keys.set([0, 0, 0, 0], i * 32); // the interpolated 4 bytes are all equal
    const rows = buildRows(keys, new Uint32Array(4096).fill(SLOT_GROUPS));
    const table = new PlacementTable(encodeTable({ ...content(0, 1), rows }));
    for (let i = 0; i < 4096; i++)
      assert.equal(table.listedGroupOf(keys.subarray(i * 32, i * 32 + 32)), SLOT_GROUPS);
  });

  test('the same content gives the same bytes; 14 bytes an account', () => {
    assert.deepEqual(encodeTable(content(3000, 5)), encodeTable(content(3000, 5)));
    assert.equal(encodeTable(content(4000, 5)).length - encodeTable(content(3000, 5)).length, 14 * 1000);
  });

  test('an account listed twice, a list that names a member twice or a stranger, are refused', () => {
    const twice = keysOf(2, 6);
    twice.copyWithin(32, 0, 32);
    assert.throws(() => buildRows(twice, Uint32Array.of(1, 2)), InvalidTableError);
    for (const bad of [[1, 1, 2], [7, 1, 2], []])
      assert.throws(
        () => encodeTable({ ...content(1, 1), groups: [...content(1, 1).groups, group(bad, 1)] }),
        InvalidTableError,
      );
  });

  test('moves survive the round trip', () => {
    const base = content(10, 7);
    const from = group([0, 1, 2]);
    const table = new PlacementTable(encodeTable({ ...base, moves: [{ group: 5, phase: 'copy', from }] }));
    assert.deepEqual(table.moves(), [{ group: 5, phase: 'copy', from }]);
    const again = new PlacementTable(encodeTable(table.content()));
    assert.equal(again.root, table.root);
  });

  test('garbage, cut and changed bytes are refused or give another root; nothing else is thrown', () => {
    const bytes = encodeTable(content(200, 8));
    const { root } = new PlacementTable(bytes);
    fc.assert(
      fc.property(
        fc.nat(bytes.length - 1),
        fc.integer({ min: 1, max: 255 }),
        fc.boolean(),
        (at, flip, cut) => {
          const broken = cut ? bytes.slice(0, at) : bytes.slice();
          if (!cut) broken[at]! ^= flip;
          try {
            assert.notEqual(new PlacementTable(broken).root, root);
          } catch (error) {
            assert.ok(error instanceof InvalidTableError, String(error));
          }
        },
      ),
      { numRuns: 400 },
    );
  });
});

describe('delta', () => {
  test('leads from any table to any other, byte for byte', () => {
    fc.assert(
      fc.property(fc.nat(60), fc.nat(60), fc.nat(5), fc.nat(5), (m, n, s, t) => {
        const a = new PlacementTable(encodeTable(content(m, s, 1)));
        const b = new PlacementTable(encodeTable(content(n, t, 2)));
        assert.deepEqual(applyDelta(a, diffTables(a, b)).bytes, b.bytes);
      }),
      { numRuns: 30 },
    );
  });

  test('is small when little changed', () => {
    const keys = keysOf(10_000, 11);
    const groupOf = new Uint32Array(10_000).fill(SLOT_GROUPS);
    const a = new PlacementTable(encodeTable({ ...content(0, 1), rows: buildRows(keys, groupOf) }));
    groupOf.fill(SLOT_GROUPS + 1, 0, 100);
    const b = new PlacementTable(encodeTable({ ...content(0, 1), epoch: 2, rows: buildRows(keys, groupOf) }));
    assert.ok(diffTables(a, b).length < 100 * 14 + 3000);
  });

  test('from another table is refused', () => {
    const [a, b, c] = [1, 2, 3].map((i) => new PlacementTable(encodeTable(content(50, i, i)))) as [
      PlacementTable,
      PlacementTable,
      PlacementTable,
    ];
    assert.throws(() => applyDelta(a, diffTables(b, c)), DeltaMismatchError);
    const delta = diffTables(a, b);
    delta[70]! ^= 1; // the root that it promises
    assert.throws(() => applyDelta(a, delta), DeltaMismatchError);
  });
});

describe('Merkle pages', () => {
  test('every page can be proved, and no other page in its place', () => {
    for (const length of [0, 1, PAGE_BYTES, PAGE_BYTES + 1, 5 * PAGE_BYTES, 7 * PAGE_BYTES + 99]) {
      const bytes = keysOf(Math.ceil(length / 32), length).slice(0, length);
      const pages = pageCount(bytes);
      const root = merkleRoot(bytes);
      for (let i = 0; i < pages; i++) {
        const page = bytes.slice(i * PAGE_BYTES, (i + 1) * PAGE_BYTES);
        const path = provePage(bytes, i);
        assert.ok(verifyPage(root, pages, i, page, path));
        if (pages > 1) assert.ok(!verifyPage(root, pages, (i + 1) % pages, page, path));
        if (page.length > 0) {
          page[0]! ^= 1;
          assert.ok(!verifyPage(root, pages, i, page, path));
        }
      }
    }
  });
});
