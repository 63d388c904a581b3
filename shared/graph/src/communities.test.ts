import assert from 'node:assert/strict';
import { test } from 'node:test';
import { detectCommunities, numberBySize } from './communities.ts';
import { buildGraph } from './csr.ts';
import { groupGraph } from './group-graph.ts';
import { modularity } from './modularity.ts';

/** Cliques of the given sizes, each joined to the next by one edge. */
const cliques = (...sizes: number[]) => {
  const sources: number[] = [];
  const targets: number[] = [];
  let start = 0;
  for (const size of sizes) {
    for (let u = start; u < start + size; u++) {
      for (let v = u + 1; v < start + size; v++) {
        sources.push(u);
        targets.push(v);
      }
    }
    if (start > 0) {
      sources.push(start - 1);
      targets.push(start);
    }
    start += size;
  }
  return buildGraph(start, Uint32Array.from(sources), Uint32Array.from(targets));
};

for (const engine of ['louvain', 'leiden', 'auto'] as const) {
  test(`${engine}: cliques are found, numbered by size, and the same again`, () => {
    const g = cliques(5, 8, 6);
    const found = detectCommunities(g, { engine, seed: 7 });
    assert.equal(found.count, 3);
    assert.deepEqual([...found.communityOf], [...Array(5).fill(2), ...Array(8).fill(0), ...Array(6).fill(1)]);
    assert.ok(Math.abs(found.modularity - modularity(g, found.communityOf)) < 1e-12);
    assert.deepEqual(detectCommunities(g, { engine, seed: 7 }), found);
  });

  test(`${engine}: graphs without edges are all singletons`, () => {
    const none = buildGraph(3, new Uint32Array(0), new Uint32Array(0));
    assert.deepEqual([...detectCommunities(none, { engine, seed: 1 }).communityOf], [0, 1, 2]);
    const empty = buildGraph(0, new Uint32Array(0), new Uint32Array(0));
    assert.equal(detectCommunities(empty, { engine, seed: 1 }).count, 0);
  });
}

test('modularity by hand: two triangles and a bridge', () => {
  const g = cliques(3, 3);
  // m = 7: inside 6/7, degrees 7 and 7 of 14
  assert.ok(Math.abs(modularity(g, [0, 0, 0, 1, 1, 1]) - (6 / 7 - 0.5)) < 1e-12);
  assert.ok(Math.abs(modularity(g, [0, 0, 0, 0, 0, 0])) < 1e-12);
});

test('a pair that follows both ways counts once', () => {
  const both = buildGraph(4, Uint32Array.of(0, 1, 2, 1), Uint32Array.of(1, 0, 3, 2));
  const once = buildGraph(4, Uint32Array.of(0, 2, 1), Uint32Array.of(1, 3, 2));
  assert.equal(modularity(both, [0, 0, 1, 1]), modularity(once, [0, 0, 1, 1]));
});

test('a resolution that is no positive number is refused', () => {
  const g = cliques(3);
  assert.throws(() => detectCommunities(g, { engine: 'louvain', seed: 1, resolution: 0 }), RangeError);
});

test('numbers go by size, then by smallest node', () => {
  const { communityOf, count } = numberBySize(Uint32Array.of(9, 4, 4, 9, 7, 2, 2));
  assert.deepEqual([...communityOf], [0, 1, 1, 0, 3, 2, 2]);
  assert.equal(count, 4);
});

test('the graph between groups counts follows in both directions', () => {
  const g = buildGraph(4, Uint32Array.of(0, 1, 2, 0, 3), Uint32Array.of(1, 2, 1, 3, 1));
  const between = groupGraph(g, Uint32Array.of(0, 0, 1, 1), 2);
  assert.deepEqual([...between.sizes], [2, 2]);
  assert.deepEqual([...between.inside], [1, 0]);
  assert.deepEqual([[...between.sources], [...between.targets], [...between.weights]], [[0], [1], [4]]);
});
