import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import fc from 'fast-check';
import { detectCommunities } from './communities.ts';
import { buildGraph, type FollowGraph, undirected } from './csr.ts';
import { parseEdgeList } from './edge-list.ts';
import { modularity } from './modularity.ts';
import { seededRng } from './rng.ts';

const repository = join(dirname(fileURLToPath(import.meta.url)), '..', '..', '..');
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

for (const [file, least] of [
  ['soc-Epinions1', 0.453],
  ['synth-follow-200k', 0.702],
  ['web-NotreDame', 0.938],
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
