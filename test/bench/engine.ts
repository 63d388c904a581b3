import { spawnSync } from 'node:child_process';
import { parseArgs } from 'node:util';
import { detectCommunities, modularity, numberBySize } from '@covey/graph';
import type { Effort } from '@covey/placement';
import { hashed, packed, withReplicas } from './engine/baselines.ts';
import { type BenchGraph, buildFrom, graphFiles, readBenchGraph } from './engine/graphs.ts';
import { howToInstall, type OtherTool, runTool, toolInput, toolsOf } from './engine/other-tools.ts';
import {
  equalMembers,
  type Figures,
  figuresOf,
  runScenario,
  type Scenario,
  scenarios,
} from './engine/scenarios.ts';

/** The tools that detect communities; the others partition. */
const detectors: readonly OtherTool[] = ['igraph', 'networkit'];

/**
 * The placement engine on edge lists: detection and placement, ours beside graphology, hashing, packed communities, and
 * igraph, NetworKit and METIS where a Python has them. Runs of what is compared are interleaved; times are medians.
 *
 * `--graph FILE` (repeatable), `--undirected`, `--members 16,64`, `--copies 3`, `--extra 0,0.1` (read copies),
 * `--effort quick|normal|long`, `--scenario placement,big,pins,churn,join,leave,limits,groups`, `--runs 3` (of detection),
 * `--graphology-edges 2000000` (larger graphs are not given to graphology, which needs some 500 bytes an edge),
 * `--python tools/bin/python`, `--no-others`. JSON goes to standard output.
 */
export async function run(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: {
      graph: { type: 'string', multiple: true },
      undirected: { type: 'boolean', default: false },
      members: { type: 'string', default: '16,64' },
      copies: { type: 'string', default: '3' },
      extra: { type: 'string', default: '0,0.1' },
      effort: { type: 'string', default: 'normal' },
      scenario: { type: 'string', default: 'placement' },
      runs: { type: 'string', default: '3' },
      'graphology-edges': { type: 'string', default: '2000000' },
      python: { type: 'string', default: 'python3' },
      'no-others': { type: 'boolean', default: false },
      json: { type: 'boolean' },
    },
  });
  const wanted = values.scenario.split(',').map((name) => {
    if (!scenarios.includes(name as Scenario))
      throw new Error(`no scenario "${name}": ${scenarios.join(', ')}`);
    return name as Scenario;
  });
  const tools = values['no-others'] ? [] : toolsOf(values.python);
  const asked: readonly OtherTool[] = values['no-others'] ? [] : ['igraph', 'networkit', 'metis-kway'];
  const missing = asked.filter((tool) => !tools.includes(tool));
  if (missing.length > 0) console.error(`not there: ${missing.join(', ')}. To have them: ${howToInstall}`);
  const results = [];
  for (const file of graphFiles(values.graph)) {
    const bench = readBenchGraph(file, values.undirected);
    const { graph } = bench;
    const tell = (what: string) => console.error(`${bench.file}: ${what}`);
    tell('detection');
    const input = tools.length > 0 ? toolInput(bench) : undefined;
    const detection = detect(bench, {
      runs: Number(values.runs),
      graphology: bench.list.sources.length <= Number(values['graphology-edges']),
      python: values.python,
      tools: tools.filter((tool) => detectors.includes(tool)),
      input,
    });
    const placements = [];
    for (const k of values.members.split(',').map(Number)) {
      const copies = Number(values.copies);
      const members = equalMembers(k);
      const baselines: { what: string; cpuMs: number | undefined; figures: Figures }[] = [];
      if (wanted.includes('placement')) {
        tell(`k = ${k}: baselines`);
        const add = (what: string, placement: ReturnType<typeof hashed>, cpuMs?: number) =>
          baselines.push({ what, cpuMs, figures: figuresOf(graph, placement, members) });
        add('hash', hashed(graph.nodes, k, copies, 1));
        const { communityOf } = detectCommunities(graph, { engine: 'auto', seed: 1 });
        add('leiden packed', withReplicas(graph, packed(communityOf, k), k, copies));
        for (const tool of tools.filter((name) => !detectors.includes(name))) {
          tell(`k = ${k}: ${tool}`);
          const { result, cpuMs } = runTool(values.python, tool, input!, k);
          add(tool, withReplicas(graph, result, k, copies), cpuMs);
        }
      }
      const ours = [];
      for (const extraCopies of values.extra.split(',').map(Number))
        for (const scenario of wanted) {
          tell(`k = ${k}: ours, ${scenario}, ${extraCopies * 100} % extra copies`);
          const one = { graph, k, copies, extraCopies, effort: values.effort as Effort };
          ours.push({ scenario, extraCopies, outcomes: runScenario(scenario, one) });
        }
      placements.push({ k, copies, baselines, ours });
    }
    results.push({ file: bench.file, accounts: graph.nodes, follows: graph.edges, detection, placements });
  }
  const { node } = process.versions;
  console.log(
    JSON.stringify({ node, effort: values.effort, commit: commitOf(), tools, missing, results }, null, 2),
  );
}

function commitOf(): string {
  return spawnSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).stdout?.trim() ?? '';
}

interface DetectOptions {
  runs: number;
  graphology: boolean;
  python: string;
  tools: readonly OtherTool[];
  input: Uint8Array | undefined;
}

/** Modularity, and medians in ms from the edge list in memory to communities, one run of each in turn. */
function detect(bench: BenchGraph, { runs, graphology, python, tools, input }: DetectOptions) {
  const rows = new Map<string, { ms: number[]; cpuMs: number[]; modularity: number; communities: number }>();
  const note = (name: string, ms: number, cpuMs: number, q: number, communities: number) => {
    const row = rows.get(name) ?? { ms: [], cpuMs: [], modularity: q, communities };
    row.ms.push(ms);
    row.cpuMs.push(cpuMs);
    rows.set(name, row);
  };
  for (let run = 0; run < runs; run++) {
    for (const engine of graphology ? (['leiden', 'louvain'] as const) : (['leiden'] as const)) {
      const started = performance.now();
      const cpu = process.cpuUsage();
      const found = detectCommunities(buildFrom(bench.list, bench.both), { engine, seed: 1 });
      const name = engine === 'louvain' ? 'graphology-communities-louvain' : 'ours';
      const ms = performance.now() - started;
      const { user, system } = process.cpuUsage(cpu);
      note(name, ms, (user + system) / 1000, found.modularity, found.count);
    }
    for (const tool of tools) {
      const { result, buildMs, runMs, cpuMs, version } = runTool(python, tool, input!, 0);
      const { communityOf, count } = numberBySize(result);
      note(`${tool} ${version}`, buildMs + runMs, cpuMs, modularity(bench.graph, communityOf), count);
    }
  }
  return [...rows].map(([engine, { ms, cpuMs, ...row }]) => ({
    engine,
    ms: Math.round(median(ms)),
    cpuMs: Math.round(median(cpuMs)),
    ...row,
  }));
}

function median(values: number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;
}
