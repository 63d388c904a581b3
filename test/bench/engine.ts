import { existsSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { parseArgs } from 'node:util';
import { gunzipSync } from 'node:zlib';
import { type BuiltGraph, buildGraph, detectCommunities, type EdgeList, parseEdgeList } from '@covey/graph';
import { type Effort, type Evaluation, evaluate, place } from '@covey/placement';

const undirectedFiles = ['deezer_europe', 'facebook_combined', 'git_web_ml', 'lastfm_asia'];
const graphs = process.env['COVEY_GRAPHS'] ?? new URL('../../../shared/graphs', import.meta.url).pathname;
const usualFiles = ['nostr-2025-07-23', 'soc-Epinions1', 'synth-follow-200k'].map(
  (name) => `${graphs}/${name}.txt.gz`,
);

/**
 * The placement engine: detection (ours and graphology's, interleaved, medians) and placement (ours, balanced and
 * adaptive, beside random copies) on edge lists.
 *
 * Options: `--graph FILE` (repeatable; a file named like the undirected ones of the shared graphs, or given with
 * `--undirected`, is read both ways), `--members 16,64`, `--effort quick|normal|long`, `--runs 3` of detection,
 * `--graphology-edges 2000000`: larger graphs are not given to graphology, which needs some 500 bytes an edge.
 */
export async function run(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: {
      graph: { type: 'string', multiple: true },
      undirected: { type: 'boolean', default: false },
      members: { type: 'string', default: '16,64' },
      effort: { type: 'string', default: 'normal' },
      runs: { type: 'string', default: '3' },
      'graphology-edges': { type: 'string', default: '2000000' },
      json: { type: 'boolean' },
    },
  });
  const files = values.graph ?? usualFiles.filter((file) => existsSync(file));
  if (files.length === 0)
    throw new Error('no graph: give --graph FILE, or set COVEY_GRAPHS to a directory of them');
  const results = [];
  for (const file of files) {
    console.error(`${file}: reading`);
    const bytes = readFileSync(file);
    const list = parseEdgeList([bytes[0] === 0x1f && bytes[1] === 0x8b ? gunzipSync(bytes) : bytes]);
    const both = values.undirected || undirectedFiles.some((name) => basename(file).startsWith(name));
    const graph = build(list, both);
    console.error(`${file}: detecting`);
    const detection = detect(list, both, Number(values.runs), Number(values['graphology-edges']));
    const placements = [];
    for (const members of values.members.split(',').map(Number)) {
      for (const extraCopies of [0, 0.1]) {
        console.error(`${file}: placing on ${members} members, ${extraCopies * 100} % extra copies`);
        placements.push(placing(graph, members, extraCopies, values.effort as Effort));
      }
    }
    results.push({
      file: basename(file),
      accounts: graph.nodes,
      follows: graph.edges,
      detection,
      placements,
    });
  }
  const others =
    'igraph, NetworKit and METIS are not run by this benchmark; compare their files with covey evaluate';
  console.log(JSON.stringify({ node: process.version, others, results }, null, 2));
}

function build({ names, sources, targets }: EdgeList, both: boolean): BuiltGraph {
  if (!both) return buildGraph(names.length, sources, targets);
  const join = (a: Uint32Array, b: Uint32Array) =>
    Uint32Array.from({ length: a.length * 2 }, (_, i) => (i < a.length ? a[i] : b[i - a.length]));
  return buildGraph(names.length, join(sources, targets), join(targets, sources));
}

/** Modularity, and medians in ms from the edge list in memory to communities. */
function detect(list: EdgeList, both: boolean, runs: number, graphologyEdges: number) {
  const engines =
    list.sources.length > graphologyEdges ? (['leiden'] as const) : (['leiden', 'louvain'] as const);
  const ms = new Map<string, number[]>(engines.map((engine) => [engine, []]));
  const found = new Map<string, { modularity: number; count: number }>();
  for (let run = 0; run < runs; run++) {
    for (const engine of engines) {
      const started = performance.now();
      const { modularity, count } = detectCommunities(build(list, both), { engine, seed: 1 });
      ms.get(engine)?.push(performance.now() - started);
      found.set(engine, { modularity, count });
    }
  }
  return engines.map((engine) => ({
    engine: engine === 'louvain' ? 'graphology-communities-louvain' : 'covey leiden',
    ...found.get(engine),
    ms: Math.round(median(ms.get(engine) ?? [])),
  }));
}

function placing(graph: BuiltGraph, count: number, extraCopies: number, effort: Effort) {
  const { communityOf } = detectCommunities(graph, { engine: 'auto', seed: 1 });
  const members = Array.from({ length: count }, (_, index) => ({ id: `member-${index + 1}` }));
  const started = performance.now();
  const problem = {
    graph,
    communityOf,
    members,
    copies: 3,
    extraCopies,
    hubs: 'adaptive',
    seed: 1,
    effort,
  } as const;
  const placement = place(problem);
  const ms = Math.round(performance.now() - started);
  const greedy: Evaluation = evaluate(graph, placement, members);
  const { fanout, connectionBalance, readBalance } = evaluate(graph, placement, members, {
    reader: 'priced',
    hashSeeds: 0,
  });
  return {
    extraCopies,
    ms,
    groups: placement.groups.length,
    ...greedy,
    priced: { fanout, connectionBalance, readBalance },
  };
}

function median(values: number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)];
}
