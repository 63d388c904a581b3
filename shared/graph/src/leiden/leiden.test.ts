import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import fc from 'fast-check';
import { UndirectedGraph } from 'graphology';
import louvainModule, { type LouvainOptions } from 'graphology-communities-louvain';
import { detectCommunities } from '../communities.ts';
import { buildGraph, type FollowGraph } from '../csr.ts';
import { parseEdgeList } from '../edge-list.ts';
import { generateFollows } from '../generate.ts';
import { modularity, modularityOfUndirected } from '../modularity.ts';
import { seededRng } from '../rng.ts';
import { symmetricGraph, undirected } from '../symmetric.ts';
import { coreOf } from './core.ts';
import { leiden } from './leiden.ts';

const graphology = louvainModule as unknown as {
  detailed(
    graph: UndirectedGraph,
    options: LouvainOptions,
  ): { communities: Record<string, number>; modularity: number };
};
const repository = join(dirname(fileURLToPath(import.meta.url)), '..', '..', '..', '..');
const graphs = process.env['COVEY_GRAPHS'] ?? join(repository, '..', 'shared', 'graphs');

/** Accounts reached within their own community from its first account must be all of it. */
function assertConnected(g: FollowGraph, communityOf: Uint32Array): void {
  const u = undirected(g);
  const seen = new Uint8Array(g.nodes);
  const begun = new Set<number>();
  for (let first = 0; first < g.nodes; first++) {
    if (seen[first]) continue;
    assert.ok(!begun.has(communityOf[first]), `community ${communityOf[first]} is in pieces`);
    begun.add(communityOf[first]);
    const stack = [first];
    seen[first] = 1;
    for (let node = stack.pop(); node !== undefined; node = stack.pop()) {
      for (let i = u.offsets[node]; i < u.offsets[node + 1]; i++) {
        const other = u.targets[i];
        if (seen[other] || communityOf[other] !== communityOf[first]) continue;
        seen[other] = 1;
        stack.push(other);
      }
    }
  }
}

function randomGraph(nodes: number, edges: number, seed: number): FollowGraph {
  const rng = seededRng(seed);
  const ends = () => Uint32Array.from({ length: edges }, () => Math.floor(rng() * rng() * nodes));
  return buildGraph(nodes, ends(), ends());
}

test('communities are connected, whatever the graph, seed and resolution', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 120 }),
      fc.nat(400),
      fc.nat(1000),
      fc.constantFrom(0.3, 1, 4),
      (nodes, edges, seed, resolution) => {
        const g = randomGraph(nodes, edges, seed);
        const found = detectCommunities(g, { engine: 'leiden', seed, resolution });
        assertConnected(g, found.communityOf);
        assert.ok(
          found.modularity >=
            modularity(
              g,
              Uint32Array.from({ length: nodes }, (_, i) => i),
              resolution,
            ),
        );
      },
    ),
    { numRuns: 60 },
  );
});

test('a warm start is not worse than where it started, and follows an old partition', () => {
  const g = randomGraph(2000, 12000, 5);
  const cold = detectCommunities(g, { engine: 'leiden', seed: 1 });
  const warm = detectCommunities(g, { engine: 'leiden', seed: 2, previous: cold.communityOf });
  assert.ok(warm.modularity >= cold.modularity - 1e-9);
  let same = 0;
  for (let node = 0; node < g.nodes; node++) if (warm.communityOf[node] === cold.communityOf[node]) same++;
  assert.ok(same > g.nodes * 0.5, `${same} of ${g.nodes} kept`);
  const grown = detectCommunities(randomGraph(2100, 12000, 5), {
    engine: 'leiden',
    seed: 1,
    previous: cold.communityOf,
  });
  assert.equal(grown.communityOf.length, 2100);
});

test('a start from the core finds what a start from singletons finds', () => {
  const { graph, communityOf } = generateFollows({ accounts: 20_000, follows: 300_000, seed: 4 });
  for (const options of [{}, { mutual: 'twice' as const }]) {
    const u = symmetricGraph(graph, options);
    const alone = leiden(u, { seed: 1, resolution: 1 });
    const cored = leiden(u, { seed: 1, resolution: 1, coreFrom: 0 });
    assertConnected(graph, cored.communityOf);
    assert.ok(Math.abs(cored.quality - modularityOfUndirected(u, cored.communityOf)) < 1e-9);
    assert.ok(cored.quality > modularityOfUndirected(u, communityOf));
    assert.ok(cored.quality > alone.quality - 0.003, `${cored.quality} from the core, ${alone.quality}`);
  }
});

test('the core has the nodes of highest degree and the links between them', () => {
  // 0, 1 and 2 know each other; 3 … 9 follow 0, 1 or 2 and nobody else.
  const g = buildGraph(
    10,
    Uint32Array.of(0, 0, 1, 3, 4, 5, 6, 7, 8, 9),
    Uint32Array.of(1, 2, 2, 0, 0, 0, 1, 1, 1, 2),
  );
  const weights = Uint8Array.of(7, 6, 5, 1, 1, 1, 1, 1, 1, 1);
  const { graph, nodeOf } = coreOf(symmetricGraph(g, { weights }), false, 0.7);
  assert.deepEqual([...nodeOf], [0, 1, 2]);
  assert.deepEqual([...graph.offsets], [0, 2, 4, 6]);
  assert.deepEqual([...graph.targets], [1, 2, 0, 2, 0, 1]);
  assert.deepEqual([...graph.weights!], [7, 6, 7, 5, 6, 5]);
  assert.equal(coreOf(undirected(g), false, 0.1).nodeOf.length, 0);
});

test('weights pull: a heavy link holds what light ones would part', () => {
  // Two triangles, 0-1-2 and 3-4-5, joined by 2-3.
  const g = buildGraph(6, Uint32Array.of(0, 0, 1, 2, 3, 3, 4), Uint32Array.of(1, 2, 2, 3, 4, 5, 5));
  const found = (weights: Uint8Array) => [
    ...detectCommunities(g, { engine: 'leiden', seed: 1, weights }).communityOf,
  ];
  assert.deepEqual(found(Uint8Array.of(1, 1, 1, 1, 1, 1, 1)), [0, 0, 0, 1, 1, 1]);
  const heavy = found(Uint8Array.of(1, 1, 1, 50, 1, 1, 1));
  assert.equal(heavy[2], heavy[3]);
  assert.notEqual(heavy[0], heavy[4]);
  // Follows of weight 0 are no links: 2 and 3 do not hold together, nor does 0 hold on to anybody.
  const none = found(Uint8Array.of(0, 0, 1, 0, 1, 1, 1));
  assert.equal(new Set([none[0], none[1], none[3]]).size, 3);
});

test('weighted modularity is what graphology computes, and equal weights change nothing', () => {
  const g = randomGraph(300, 2500, 11);
  const weights = Uint32Array.from({ length: g.edges }, (_, i) => 1 + ((i * 7919) % 1000));
  for (const options of [{ weights }, { mutual: 'twice' as const }, {}]) {
    const u = symmetricGraph(g, options);
    const graph = new UndirectedGraph();
    for (let node = 0; node < u.nodes; node++) graph.addNode(node);
    for (let node = 0; node < u.nodes; node++) {
      for (let i = u.offsets[node]; i < u.offsets[node + 1]; i++) {
        if (u.targets[i] > node) graph.addEdge(node, u.targets[i], { weight: u.weights?.[i] ?? 1 });
      }
    }
    const found = leiden(u, { seed: 1, resolution: 1 });
    const theirs = graphology.detailed(graph, { rng: seededRng(1), getEdgeWeight: 'weight' });
    const theirPartition = Uint32Array.from({ length: u.nodes }, (_, node) => theirs.communities[node]);
    assert.ok(Math.abs(theirs.modularity - modularityOfUndirected(u, theirPartition)) < 1e-9);
    assert.ok(Math.abs(found.quality - modularityOfUndirected(u, found.communityOf)) < 1e-9);
    assert.ok(found.quality >= theirs.modularity - 0.01);
  }
  const twelve = new Uint8Array(g.edges).fill(12);
  assert.deepEqual(
    detectCommunities(g, { engine: 'leiden', seed: 1, weights: twelve }).communityOf,
    detectCommunities(g, { engine: 'leiden', seed: 1, mutual: 'twice' }).communityOf,
  );
});

test('sums of weights past 2^32 are exact', () => {
  const { graph } = generateFollows({ accounts: 400, follows: 6000, seed: 2 });
  const heavy = new Uint32Array(graph.edges).fill(2 ** 31 - 1);
  const light = new Uint8Array(graph.edges).fill(1);
  assert.deepEqual(
    detectCommunities(graph, { engine: 'leiden', seed: 4, weights: heavy }),
    detectCommunities(graph, { engine: 'leiden', seed: 4, weights: light }),
  );
});

test('planted communities are found at a resolution that sees them', () => {
  const { graph, communityOf } = generateFollows({ accounts: 4000, follows: 80_000, seed: 3 });
  const found = detectCommunities(graph, { engine: 'leiden', seed: 1, resolution: 3 });
  // Of pairs that were planted together, most are found together: a pair for each account, with its neighbour there.
  const last = new Map<number, number>();
  let pairs = 0;
  let together = 0;
  for (let node = 0; node < graph.nodes; node++) {
    const other = last.get(communityOf[node]);
    if (other !== undefined) {
      pairs++;
      if (found.communityOf[node] === found.communityOf[other]) together++;
    }
    last.set(communityOf[node], node);
  }
  assert.ok(together > 0.8 * pairs, `${together} of ${pairs}`);
});

test('stars, cliques, isolated accounts, two components: by hand', () => {
  const found = (nodes: number, pairs: [number, number][]) => {
    const g = buildGraph(
      nodes,
      Uint32Array.from(pairs, ([a]) => a),
      Uint32Array.from(pairs, ([, b]) => b),
    );
    const { communityOf, count, modularity: quality } = detectCommunities(g, { engine: 'leiden', seed: 1 });
    assertConnected(g, communityOf);
    return { communityOf: [...communityOf], count, quality };
  };
  // All in one: parting a star or a clique only loses.
  assert.equal(
    found(
      9,
      Array.from({ length: 8 }, (_, i) => [0, i + 1]),
    ).count,
    1,
  );
  const clique: [number, number][] = [];
  for (let a = 0; a < 7; a++) for (let b = a + 1; b < 7; b++) clique.push([a, b]);
  assert.equal(found(7, clique).count, 1);
  // Everybody follows the same two hubs, who follow each other.
  const hubs = Array.from({ length: 20 }, (_, i): [number, number][] => [
    [i + 2, 0],
    [i + 2, 1],
  ]).flat();
  assert.ok(found(22, [...hubs, [0, 1], [1, 0]]).quality >= 0);
  assert.deepEqual(
    found(4, [
      [0, 1],
      [2, 3],
    ]).communityOf,
    [0, 0, 1, 1],
  );
  assert.deepEqual(
    found(5, [
      [0, 1],
      [0, 0],
      [0, 1],
    ]).communityOf,
    [0, 0, 1, 2, 3],
  );
  assert.deepEqual(found(1, [[0, 0]]).communityOf, [0]);
});

/** What igraph's Leiden reaches on average in its usual two iterations (five seeds). */
for (const [file, least] of [
  ['nostr-2025-07-23', 0.259],
  ['soc-Epinions1', 0.452],
  ['web-NotreDame', 0.9442],
] as const) {
  const path = join(graphs, `${file}.txt.gz`);
  const skip = existsSync(path) ? false : `${path} is not there; set COVEY_GRAPHS`;
  test(`${file}: modularity at least ${least}, connected`, { skip }, () => {
    const { names, sources, targets } = parseEdgeList([gunzipSync(readFileSync(path))]);
    const g = buildGraph(names.length, sources, targets);
    const found = detectCommunities(g, { engine: 'leiden', seed: 1 });
    assert.ok(found.modularity >= least, `${found.modularity}`);
    assertConnected(g, found.communityOf);
  });
}
