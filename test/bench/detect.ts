import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { gunzipSync } from 'node:zlib';
import { buildGraph, detectCommunities, parseEdgeList } from '@covey/graph';
import { ThreadTeam } from '@covey/threads';

const graphs = process.env['COVEY_GRAPHS'] ?? new URL('../../../shared/graphs', import.meta.url).pathname;
const usualFiles = ['nostr-2025-07-23', 'soc-Epinions1', 'web-NotreDame', 'synth-follow-200k'].map(
  (name) => `${graphs}/${name}.txt.gz`,
);
const script = fileURLToPath(new URL('beside/detect.py', import.meta.url));

interface Run {
  tool: string;
  threads?: number;
  modularity: number;
  buildMs: number;
  buildCpuMs: number;
  detectMs: number;
  detectCpuMs: number;
}

/**
 * Community detection: ours with one thread and with all, graphology's Louvain, and igraph's Leiden and NetworKit's PLM
 * where Python has them (the result says how to get them). One process after the other, medians of runs with different
 * seeds, from an edge list in memory. CPU time of one thread compares on a machine that others use too.
 *
 * Options: `--graph FILE` (repeatable), `--runs 3`, `--threads N`, `--python python3`, `--graphology-edges 2000000`: larger
 * graphs are not given to graphology, which needs some 500 bytes an edge.
 */
export async function run(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: {
      graph: { type: 'string', multiple: true },
      runs: { type: 'string', default: '3' },
      threads: { type: 'string', default: String(Math.min(8, availableParallelism())) },
      python: { type: 'string', default: 'python3' },
      'graphology-edges': { type: 'string', default: '2000000' },
      json: { type: 'boolean' },
    },
  });
  const files = values.graph ?? usualFiles.filter((file) => existsSync(file));
  if (files.length === 0)
    throw new Error('no graph: give --graph FILE, or set COVEY_GRAPHS to a directory of them');
  const runs = Number(values.runs);
  const results = [];
  for (const file of files) {
    console.error(file);
    const ours = await detectHere(file, runs, Number(values.threads), Number(values['graphology-edges']));
    const theirs = detectBeside(values.python, file, runs, Number(values.threads));
    results.push({
      file: basename(file),
      tools: medians([...ours, ...theirs.runs]),
      missing: theirs.missing,
    });
  }
  console.log(JSON.stringify({ node: process.version, results }, null, 2));
}

async function detectHere(
  file: string,
  runs: number,
  threads: number,
  graphologyEdges: number,
): Promise<Run[]> {
  const bytes = readFileSync(file);
  const list = parseEdgeList([bytes[0] === 0x1f && bytes[1] === 0x8b ? gunzipSync(bytes) : bytes]);
  const team = await ThreadTeam.start(threads);
  const found: Run[] = [];
  try {
    for (let seed = 1; seed <= runs; seed++) {
      found.push({ tool: 'covey leiden', threads: 1, ...detectOnce(list, { engine: 'leiden', seed }) });
      if (threads > 1)
        found.push({ tool: 'covey leiden', threads, ...detectOnce(list, { engine: 'leiden', seed, team }) });
      if (list.sources.length > graphologyEdges) continue;
      found.push({ tool: 'graphology louvain', ...detectOnce(list, { engine: 'louvain', seed }) });
    }
  } finally {
    await team.close();
  }
  return found;
}

function detectOnce(
  { names, sources, targets }: ReturnType<typeof parseEdgeList>,
  options: Parameters<typeof detectCommunities>[1],
) {
  const start = performance.now();
  const startCpu = process.cpuUsage();
  const graph = buildGraph(names.length, sources, targets);
  const built = performance.now();
  const builtCpu = process.cpuUsage(startCpu);
  const { modularity } = detectCommunities(graph, options);
  const all = process.cpuUsage(startCpu);
  const ms = ({ user, system }: NodeJS.CpuUsage): number => (user + system) / 1000;
  return {
    modularity,
    buildMs: built - start,
    buildCpuMs: ms(builtCpu),
    detectMs: performance.now() - built,
    detectCpuMs: ms(all) - ms(builtCpu),
  };
}

function detectBeside(python: string, file: string, runs: number, threads: number) {
  const result = spawnSync(python, [script, file, String(runs), String(threads)], { encoding: 'utf8' });
  if (result.status !== 0) {
    const reason = result.error?.message ?? result.stderr.trim().split('\n').at(-1);
    return {
      runs: [],
      missing: [`igraph, NetworKit: ${python} failed (${reason}); pip install python-igraph networkit numpy`],
    };
  }
  const lines = result.stdout
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line));
  return {
    runs: lines.filter((line) => !line.missing) as Run[],
    missing: lines.filter((line) => line.missing).map((line) => `${line.tool}: ${line.missing}`),
  };
}

/** Median of each figure by tool and threads. */
function medians(runs: readonly Run[]) {
  const byTool = Map.groupBy(runs, ({ tool, threads }) => `${tool}/${threads ?? ''}`);
  return [...byTool.values()].map((group) => {
    const median = (key: Exclude<keyof Run, 'tool' | 'threads'>): number =>
      group.map((run) => run[key]).sort((a, b) => a - b)[group.length >> 1];
    const { tool, threads } = group[0];
    const round = (value: number): number => Math.round(value);
    return {
      tool,
      ...(threads && { threads }),
      modularity: median('modularity'),
      buildMs: round(median('buildMs')),
      detectMs: round(median('detectMs')),
      buildCpuMs: round(median('buildCpuMs')),
      detectCpuMs: round(median('detectCpuMs')),
    };
  });
}
