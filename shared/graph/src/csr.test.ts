import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { buildGraph, type FollowGraph, followerCounts, reverseGraph } from './csr.ts';
import { symmetricGraph, undirected } from './symmetric.ts';

const edgesOf = (g: FollowGraph): string[] => {
  const edges: string[] = [];
  for (let u = 0; u < g.nodes; u++) {
    for (let i = g.offsets[u]; i < g.offsets[u + 1]; i++) edges.push(`${u}>${g.targets[i]}`);
  }
  return edges;
};

const anyEdges = fc.array(fc.tuple(fc.nat(11), fc.nat(11)), { maxLength: 60 });
const build = (edges: readonly (readonly [number, number])[], nodes = 12) =>
  buildGraph(
    nodes,
    Uint32Array.from(edges, ([u]) => u),
    Uint32Array.from(edges, ([, v]) => v),
  );

test('rows are sorted, without repeats and self-loops, and what was dropped is counted', () => {
  fc.assert(
    fc.property(anyEdges, (edges) => {
      const g = build(edges);
      const wanted = new Set(edges.filter(([u, v]) => u !== v).map(([u, v]) => `${u}>${v}`));
      assert.deepEqual(new Set(edgesOf(g)), wanted);
      assert.equal(g.edges, wanted.size);
      assert.equal(g.edges + g.selfLoops + g.duplicates, edges.length);
      for (let u = 0; u < g.nodes; u++) {
        const row = [...g.targets.subarray(g.offsets[u], g.offsets[u + 1])];
        assert.deepEqual(
          row,
          row.toSorted((a, b) => a - b),
        );
      }
    }),
  );
});

test('reversing twice is the identity, and counts followers', () => {
  fc.assert(
    fc.property(anyEdges, (edges) => {
      const g = build(edges);
      const back = reverseGraph(reverseGraph(g));
      assert.deepEqual([...back.targets], [...g.targets]);
      const reversed = reverseGraph(g);
      followerCounts(g).forEach((count, v) => {
        assert.equal(count, reversed.offsets[v + 1] - reversed.offsets[v]);
      });
    }),
  );
});

test('the undirected graph has each pair once in both rows', () => {
  fc.assert(
    fc.property(anyEdges, (edges) => {
      const u = undirected(build(edges));
      const wanted = new Set(
        edges.filter(([a, b]) => a !== b).flatMap(([a, b]) => [`${a}>${b}`, `${b}>${a}`]),
      );
      assert.deepEqual(new Set(edgesOf(u)), wanted);
      assert.equal(u.edges, wanted.size);
    }),
  );
});

test('a graph past 2^31 - 1 accounts or follows is refused before anything is allocated', () => {
  const none = new Uint32Array(0);
  assert.throws(() => buildGraph(2 ** 31, none, none), {
    name: 'GraphSizeError',
    message: /2147483648 accounts/,
  });
  const many = { length: 2 ** 31 } as Uint32Array;
  assert.throws(() => buildGraph(3, many, many), { name: 'GraphSizeError', message: /2147483648 follows/ });
});

test('a graph over shared memory is the same, and its views are shared when asked', () => {
  const edges: [number, number][] = [
    [0, 1],
    [1, 0],
    [2, 0],
    [2, 0],
  ];
  const pick = (end: 0 | 1) => Uint32Array.from(edges, (edge) => edge[end]);
  const shared = buildGraph(3, pick(0), pick(1), 4, true);
  assert.deepEqual(edgesOf(shared), edgesOf(build(edges, 3)));
  assert.ok(shared.targets.buffer instanceof SharedArrayBuffer);
  const u = symmetricGraph(shared, { shared: true, mutual: 'twice' });
  assert.ok(u.targets.buffer instanceof SharedArrayBuffer && u.weights?.buffer instanceof SharedArrayBuffer);
  assert.deepEqual([...u.weights], [2, 1, 2, 1]);
});

test('nodes out of range are refused, empty graphs are graphs', () => {
  assert.throws(() => build([[0, 5]], 3), /edge 0 \(0 -> 5\) names a node outside 0\.\.2/);
  assert.equal(build([], 0).edges, 0);
  assert.equal(build([[0, 0]], 1).selfLoops, 1);
});
