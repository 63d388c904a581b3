import assert from 'node:assert/strict';
import { test } from 'node:test';
import { merkleRoot, PAGE_BYTES } from '@covey/table';
import { tableRoot } from './table-root.ts';

test('the root by Node’s own hash is the root of the table package, for any number of pages', () => {
  const pattern = (length: number) => Uint8Array.from({ length }, (_, i) => (i * 131 + (i >> 8)) & 255);
  for (const pages of [0, 1, 2, 3, 4, 5, 7, 8, 9, 31, 33])
    for (const more of [0, 1, PAGE_BYTES - 1]) {
      const bytes = pattern(pages * PAGE_BYTES + more);
      assert.equal(tableRoot(bytes), merkleRoot(bytes), `${bytes.length} bytes`);
    }
});

test('one changed bit changes it', () => {
  const bytes = new Uint8Array(3 * PAGE_BYTES);
  const before = tableRoot(bytes);
  bytes[2 * PAGE_BYTES + 5] = 1;
  assert.notEqual(tableRoot(bytes), before);
});
