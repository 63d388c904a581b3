import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { slotOf } from '@covey/placement';
import {
  applyDelta,
  countSignatures,
  PAGE_BYTES,
  PlacementTable,
  pageCount,
  Revocations,
  verifyKeyProof,
  verifyManifest,
  verifyPage,
} from './index.ts';

const vectors = JSON.parse(
  readFileSync(new URL('../../../test/vectors/table.json', import.meta.url), 'utf8'),
);
const bytes = new Uint8Array(Buffer.from(vectors.table, 'base64'));

describe('table vectors', () => {
  const table = new PlacementTable(bytes);

  test('the manifest verifies and names the table', () => {
    const manifest = verifyManifest(vectors.manifest, [vectors.trustedRoot], 'vectors');
    assert.equal(manifest.root, vectors.root);
    assert.equal(manifest.tableBytes, bytes.length);
    assert.deepEqual(
      manifest.members,
      table.members.map(({ id, url }) => ({ id, url })),
    );
  });

  test('the root', () => assert.equal(table.root, vectors.root));

  test('look-ups: listed, twins in the exceptions, slots', () => {
    for (const expected of vectors.lookups) {
      const { source, group, members, copies, hub, pinned } = table.locate(expected.key);
      assert.deepEqual({ key: expected.key, source, group, members, copies, hub, pinned }, expected);
    }
    assert.deepEqual(
      [...new Set(vectors.lookups.map(({ source }: { source: string }) => source))],
      ['table', 'pin', 'slot'],
    );
  });

  test('a page and its path', () => {
    const { index, path } = vectors.page;
    const page = bytes.subarray(index * PAGE_BYTES, (index + 1) * PAGE_BYTES);
    assert.ok(verifyPage(vectors.root, pageCount(bytes), index, page, path));
  });

  test('the delta', () => {
    const next = applyDelta(table, new Uint8Array(Buffer.from(vectors.delta, 'base64')));
    assert.equal(next.root, vectors.rootAfterDelta);
    assert.equal(next.moves()[0]?.phase, 'copy');
  });

  test('proofs of keys, listed and not, in a group that moves and in others', () => {
    const next = applyDelta(table, new Uint8Array(Buffer.from(vectors.delta, 'base64')));
    const head = { root: next.root, tableBytes: next.bytes.length };
    for (const { key, at, pages } of vectors.proofsAfterDelta) {
      const bytesOf = (index: number) => next.bytes.slice(index * PAGE_BYTES, (index + 1) * PAGE_BYTES);
      const whole = pages.map((page: { index: number; path: string[] }) => ({
        ...page,
        bytes: bytesOf(page.index),
      }));
      const raw = Buffer.from(key, 'hex');
      const proof = { tableBytes: next.bytes.length, at, pages: whole };
      const proved = verifyKeyProof(head, raw, slotOf(raw), proof);
      const { group, members, source, move } = next.locate(key);
      assert.deepEqual(
        [proved.group, proved.list.members, proved.listed, proved.move],
        [group, members, source !== 'slot', move],
      );
    }
  });

  test('a revocation, and another coordinator’s signature', () => {
    const { trustedRoot, manifest: event, revocation, cosignature } = vectors;
    const manifest = verifyManifest(event, [trustedRoot], 'vectors');
    const revocations = new Revocations([trustedRoot], 'vectors');
    assert.ok(revocations.add(revocation));
    assert.deepEqual(
      [revocations.isVoid(event.pubkey, 1), revocations.isVoid(event.pubkey, 2)],
      [false, true],
    );
    assert.equal(countSignatures(event.pubkey, manifest, [cosignature], [trustedRoot]), 2);
  });
});
