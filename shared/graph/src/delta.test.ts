import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { buildGraph, type FollowGraph, GRAPH_SIZE_MAX } from './csr.ts';
import type { GraphDelta } from './delta.ts';
import { applyDelta } from './delta-apply.ts';

type Pair = readonly [number, number];
const build = (edges: readonly Pair[], nodes: number): FollowGraph =>
  buildGraph(
    nodes,
    Uint32Array.from(edges, ([u]) => u),
    Uint32Array.from(edges, ([, v]) => v),
  );
const delta = (parts: Partial<GraphDelta>): GraphDelta => ({
  lists: new Map(),
  added: 0,
  gone: new Uint32Array(0),
  withdrawn: 0,
  ...parts,
});
const same = (actual: FollowGraph, wanted: FollowGraph): void => {
  assert.equal(actual.nodes, wanted.nodes);
  assert.equal(actual.edges, wanted.edges);
  assert.deepEqual([...actual.offsets], [...wanted.offsets]);
  assert.deepEqual([...actual.targets], [...wanted.targets]);
};

const nodes = 10;
const anyGraph = fc
  .array(fc.tuple(fc.nat(nodes - 1), fc.nat(nodes - 1)), { maxLength: 50 })
  .map((edges) => ({ edges, graph: build(edges, nodes) }));
const anyDelta = fc.nat(3).chain((added) =>
  fc
    .record({
      gone: fc.uniqueArray(fc.nat(nodes - 1), { maxLength: 3 }),
      lists: fc.array(
        fc.tuple(fc.nat(nodes + added - 1), fc.array(fc.nat(nodes + added - 1), { maxLength: 8 })),
        { maxLength: 6 },
      ),
    })
    .map(({ gone, lists }) =>
      delta({
        added,
        gone: Uint32Array.from(gone),
        lists: new Map(
          lists.filter(([u]) => !gone.includes(u)).map(([u, list]) => [u, Uint32Array.from(list)]),
        ),
      }),
    ),
);

test('a delta gives the graph that building anew from the changed edges gives', () => {
  fc.assert(
    fc.property(anyGraph, anyDelta, ({ edges, graph }, change) => {
      const gone = new Set(change.gone);
      const wanted = [
        ...edges.filter(([u]) => !change.lists.has(u)),
        ...[...change.lists].flatMap(([u, list]) => [...list].map((v) => [u, v] as const)),
      ].filter(([u, v]) => !gone.has(u) && !gone.has(v));
      same(applyDelta(graph, change).graph, build(wanted, nodes + change.added));
    }),
    { numRuns: 500 },
  );
});

test('applying the inverse is the identity, and so is undoing that', () => {
  fc.assert(
    fc.property(anyGraph, anyDelta, ({ graph }, change) => {
      const there = applyDelta(graph, change);
      const back = applyDelta(there.graph, there.inverse);
      same(back.graph, graph);
      same(applyDelta(back.graph, back.inverse).graph, there.graph);
    }),
    { numRuns: 500 },
  );
});

test('the graph that was given is not touched, and shared memory stays shared', () => {
  const plain = build(
    [
      [0, 1],
      [1, 2],
      [2, 0],
    ],
    3,
  );
  const shared: FollowGraph = {
    ...plain,
    offsets: new Uint32Array(new SharedArrayBuffer(16)),
    targets: new Uint32Array(new SharedArrayBuffer(12)),
  };
  shared.offsets.set(plain.offsets);
  shared.targets.set(plain.targets);
  const change = delta({ lists: new Map([[1, Uint32Array.of(2, 0, 2, 1)]]) });
  const after = applyDelta(shared, change).graph;
  assert.deepEqual([...after.targets], [1, 0, 2, 0]);
  assert.deepEqual([...shared.targets], [1, 2, 0]);
  assert.ok(after.targets.buffer instanceof SharedArrayBuffer);
  assert.ok(after.offsets.buffer instanceof SharedArrayBuffer);
  assert.ok(!(applyDelta(plain, change).graph.targets.buffer instanceof SharedArrayBuffer));
});

test('what a graph cannot take is refused, with the reason', () => {
  const graph = build([[0, 2]], 3);
  const list = (node: number, ...followees: number[]) => ({
    lists: new Map([[node, Uint32Array.from(followees)]]),
  });
  const refused: [Partial<GraphDelta>, RegExp][] = [
    [list(3, 0), /a list of account 3, which is not in 0\.\.2/],
    [list(-1, 0), /a list of account -1/],
    [list(0, 3), /account 0 would follow 3, which is not in 0\.\.2/],
    [{ gone: Uint32Array.of(3) }, /account 3 is gone, but not in/],
    [{ ...list(1, 0), gone: Uint32Array.of(1) }, /account 1 is gone, and has a new list/],
    [{ withdrawn: 1 }, /account 0 still follows 2, which is withdrawn/],
    [{ withdrawn: 4 }, /4 accounts withdrawn from a graph of 3/],
    [{ added: 1, withdrawn: 1 }, /apply two/],
    [{ added: -1 }, /added is -1/],
    [{ added: 0.5 }, /added is 0\.5/],
  ];
  for (const [parts, message] of refused) {
    assert.throws(() => applyDelta(graph, delta(parts)), { name: 'GraphDeltaError', message });
  }
});

test('a graph never passes 2^31 - 1 accounts or follows, and is not allocated to find out', () => {
  const empty = build([], 3);
  assert.throws(
    () => applyDelta(empty, delta({ added: GRAPH_SIZE_MAX - 2 })),
    /2147483648 accounts are more than 2147483647/,
  );
  const full: FollowGraph = { ...empty, edges: GRAPH_SIZE_MAX };
  assert.throws(
    () => applyDelta(full, delta({ lists: new Map([[0, Uint32Array.of(1)]]) })),
    /2147483648 follows are more than 2147483647/,
  );
});

test('an empty graph takes accounts, and gives them back', () => {
  const empty = build([], 0);
  const grown = applyDelta(empty, delta({ added: 2, lists: new Map([[0, Uint32Array.of(1)]]) }));
  same(grown.graph, build([[0, 1]], 2));
  same(applyDelta(grown.graph, grown.inverse).graph, empty);
});
