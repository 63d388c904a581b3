import { sha256 } from '@noble/hashes/sha2';
import { bytesToHex, hexToBytes } from '@noble/hashes/utils';

/** Leaves of the tree: pages of this many bytes; the last may be shorter. */
export const PAGE_BYTES = 4096;

const LEAF = Uint8Array.of(0);
const NODE = Uint8Array.of(1);

export function pageCount(bytes: { length: number }): number {
  return Math.max(1, Math.ceil(bytes.length / PAGE_BYTES));
}

function leafHash(page: Uint8Array): Uint8Array {
  return sha256.create().update(LEAF).update(page).digest();
}

function nodeHash(left: Uint8Array, right: Uint8Array): Uint8Array {
  return sha256.create().update(NODE).update(left).update(right).digest();
}

/** All levels of the tree, leaves first. A node without a sibling goes up unchanged. */
function levels(bytes: Uint8Array): Uint8Array[][] {
  let level: Uint8Array[] = [];
  for (let page = 0; page < pageCount(bytes); page++)
    level.push(leafHash(bytes.subarray(page * PAGE_BYTES, (page + 1) * PAGE_BYTES)));
  const all = [level];
  while (level.length > 1) {
    const next: Uint8Array[] = [];
    for (let i = 0; i < level.length; i += 2)
      next.push(i + 1 < level.length ? nodeHash(level[i]!, level[i + 1]!) : level[i]!);
    all.push((level = next));
  }
  return all;
}

/**
 * Root (hex) of the Merkle tree over the table's pages. Leaves and inner nodes are hashed with different first bytes,
 * as in RFC 6962, so that a node can't be passed off as a page.
 */
export function merkleRoot(bytes: Uint8Array): string {
  return bytesToHex(levels(bytes).at(-1)![0]!);
}

/** Sibling hashes (hex) from a page up to the root. @throws RangeError when there is no such page. */
export function provePage(bytes: Uint8Array, page: number): string[] {
  return provePages(bytes, [page])[0]!;
}

/** The same for several pages, the tree being built once. @throws RangeError when there is no such page. */
export function provePages(bytes: Uint8Array, pages: readonly number[]): string[][] {
  return new PageProver(bytes).prove(pages);
}

/** The tree of one table, kept for many proofs: 64 bytes a page. */
export class PageProver {
  readonly #levels: Uint8Array[][];

  constructor(bytes: Uint8Array) {
    this.#levels = levels(bytes);
  }

  /** Sibling hashes (hex) of each page up to the root. @throws RangeError when there is no such page. */
  prove(pages: readonly number[]): string[][] {
    return pages.map((page) => {
      if (!(page >= 0 && page < this.#levels[0]!.length)) throw new RangeError(`no page ${page}`);
      const path: string[] = [];
      let index = page;
      for (const level of this.#levels.slice(0, -1)) {
        const sibling = level[index ^ 1];
        if (sibling) path.push(bytesToHex(sibling));
        index >>>= 1;
      }
      return path;
    });
  }
}

/** Whether `page` is page number `index` of `pages` under `root`. Never throws on well-formed hex. */
export function verifyPage(
  root: string,
  pages: number,
  index: number,
  page: Uint8Array,
  path: readonly string[],
): boolean {
  if (!(index >= 0 && index < pages) || page.length > PAGE_BYTES) return false;
  let hash = leafHash(page);
  let at = index;
  let used = 0;
  for (let width = pages; width > 1; width = (width + 1) >>> 1, at >>>= 1) {
    if ((at ^ 1) >= width) continue; // no sibling: goes up unchanged
    const sibling = path[used++];
    if (sibling === undefined) return false;
    hash = at & 1 ? nodeHash(hexToBytes(sibling), hash) : nodeHash(hash, hexToBytes(sibling));
  }
  return used === path.length && bytesToHex(hash) === root;
}
