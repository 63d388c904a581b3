import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { slotOf } from '@covey/placement';
import fc from 'fast-check';
import {
  buildRows,
  encodeTable,
  InvalidProofError,
  MOVE_PHASES,
  PAGE_BYTES,
  PageProver,
  PlacementTable,
  proveKey,
  SLOT_GROUPS,
  type TableGroup,
  verifyKeyProof,
} from './index.ts';

const MEMBERS = 12;
const members = Array.from({ length: MEMBERS }, (_, i) => ({
  id: i.toString(16).padStart(64, '0'),
  url: `wss://relay-${i}.example`,
  name: `relay ${i}`,
  operator: `operator ${i}`,
  capacity: { copies: 1, connections: 1, reads: 1 },
  state: 'active' as const,
}));
const listOf = (seed: number): TableGroup => ({
  members: [seed % MEMBERS, (seed + 1 + (seed % 5)) % MEMBERS, (seed + 6 + (seed % 4)) % MEMBERS].filter(
    (m, i, all) => all.indexOf(m) === i,
  ),
  copies: 1,
  hub: seed % 7 === 0,
  pinned: seed % 11 === 0,
});

/** 3,000 accounts in 400 groups, every ninth moving, two keys that share a prefix. */
function makeTable(): { table: PlacementTable; keys: Uint8Array[] } {
  const keys = Array.from({ length: 3000 }, (_, i) => {
    const key = new Uint8Array(32);
    const view = new DataView(key.buffer);
    for (let at = 0; at < 32; at += 4) view.setUint32(at, Math.imul(i + 1, 2654435761) ^ (at * 97 * (i + 3)));
    return key;
  });
  keys.push(keys[7]!.slice().fill(1, 20), keys[8]!.slice().fill(2, 20));
  const groupOf = Uint32Array.from(keys, (_, i) => SLOT_GROUPS + (i % 400));
  const all = new Uint8Array(keys.length * 32);
  keys.forEach((key, i) => {
    all.set(key, i * 32);
  });
  const groups = Array.from({ length: SLOT_GROUPS + 400 }, (_, i) => listOf(i));
  const moves = Array.from({ length: Math.ceil(groups.length / 9) }, (_, i) => ({
    group: i * 9,
    phase: MOVE_PHASES[i % 4]!,
    from: listOf(i + 3),
  }));
  const bytes = encodeTable({
    cluster: 'c',
    epoch: 3,
    members,
    groups,
    moves,
    rows: buildRows(all, groupOf),
  });
  return { table: new PlacementTable(bytes), keys };
}

describe('proofs of where a key lives', () => {
  const { table, keys } = makeTable();
  const prover = new PageProver(table.bytes);
  const head = { root: table.root, tableBytes: table.bytes.length };

  const check = (key: Uint8Array) => {
    const proof = proveKey(table.bytes, key, slotOf(key), prover);
    const proved = verifyKeyProof(head, key, slotOf(key), proof);
    const { source, group, move, members: list, copies, hub, pinned } = table.locate(key);
    assert.deepEqual(
      { ...proved, move: proved.move ?? null },
      {
        epoch: 3,
        listed: source !== 'slot',
        group,
        list: { members: list, copies, hub, pinned },
        move: move ?? null,
      },
    );
    return proof;
  };

  test('every listed key, and any other, is proved as the table says', () => {
    for (const key of keys) check(key);
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), (key) => {
        const { pages } = check(key);
        assert.ok(pages.length <= 8, `${pages.length} pages`);
      }),
      { numRuns: 300 },
    );
    for (const edge of [0, 255]) check(new Uint8Array(32).fill(edge));
  });

  test('no proof shows a listed key as absent, or an absent one as listed', () => {
    const key = keys[5]!;
    const slot = slotOf(key);
    const proof = proveKey(table.bytes, key, slot);
    const other = new Uint8Array(32).fill(9);
    const refused = (change: Partial<typeof proof>, of = key) =>
      assert.throws(() => verifyKeyProof(head, of, slotOf(of), { ...proof, ...change }), InvalidProofError);
    for (const step of [-2, -1, 1, 2]) refused({ at: { ...proof.at, row: proof.at.row + step } });
    refused({ at: { ...proof.at, row: -1 } });
    refused({ at: { ...proof.at, row: 1e9 } });
    refused({}, other);
    refused({ tableBytes: proof.tableBytes + PAGE_BYTES });
    for (let i = 0; i < proof.pages.length; i++)
      refused({ pages: proof.pages.filter((_, other) => other !== i) });
  });

  test('a page that was changed, or is another, is not of the table', () => {
    const key = keys[9]!;
    const proof = proveKey(table.bytes, key, slotOf(key));
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: proof.pages.length - 1 }),
        fc.integer({ min: 0, max: 100_000 }),
        fc.integer({ min: 1, max: 255 }),
        (page, at, difference) => {
          const pages = proof.pages.map((p) => ({ ...p, bytes: p.bytes.slice() }));
          const { bytes } = pages[page]!;
          bytes[at % bytes.length]! ^= difference;
          assert.throws(
            () => verifyKeyProof(head, key, slotOf(key), { ...proof, pages }),
            /not of the table/,
          );
        },
      ),
      { numRuns: 50 },
    );
    const swapped = proof.pages.map((page, i) => ({
      ...page,
      index: proof.pages[(i + 1) % proof.pages.length]!.index,
    }));
    assert.throws(
      () => verifyKeyProof(head, key, slotOf(key), { ...proof, pages: swapped }),
      InvalidProofError,
    );
  });
});
