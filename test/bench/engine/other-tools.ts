import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { followerCounts } from '@covey/graph';
import type { BenchGraph } from './graphs.ts';

export const otherTools = ['igraph', 'networkit', 'metis-kway', 'metis-recursive', 'metis-balanced'] as const;
export type OtherTool = (typeof otherTools)[number];

const modules: Record<OtherTool, string> = {
  igraph: 'igraph',
  networkit: 'networkit',
  'metis-kway': 'pymetis',
  'metis-recursive': 'pymetis',
  'metis-balanced': 'pymetis',
};
const script = fileURLToPath(new URL('./other-tools.py', import.meta.url));
export const howToInstall =
  'python3 -m venv tools && tools/bin/pip install python-igraph networkit pymetis, then --python tools/bin/python';

export interface OtherRun {
  result: Uint32Array;
  version: string;
  buildMs: number;
  runMs: number;
  cpuMs: number;
  peakBytes: number;
}

/** Which tools this Python has. A Python that is not there has none. */
export function toolsOf(python: string): OtherTool[] {
  const names = [...new Set(Object.values(modules))];
  const probe = `import importlib.util as u; print(','.join(n for n in ${JSON.stringify(names)} if u.find_spec(n)))`;
  const { status, stdout } = spawnSync(python, ['-c', probe], { encoding: 'utf8' });
  const found = status === 0 ? stdout.trim().split(',') : [];
  return otherTools.filter((tool) => found.includes(modules[tool]));
}

/** Runs a tool on the graph as an undirected one: each pair once. */
export function runTool(python: string, tool: OtherTool, input: Uint8Array, parts: number): OtherRun {
  const dir = mkdtempSync(join(tmpdir(), 'covey-bench-'));
  try {
    const out = join(dir, 'result.bin');
    const text = execFileSync(python, [script, tool, String(parts), out], {
      input,
      encoding: 'utf8',
      maxBuffer: 1 << 20,
      stdio: ['pipe', 'pipe', 'ignore'],
    });
    if (!existsSync(out)) throw new Error(`${tool} wrote no result: ${text}`);
    const bytes = readFileSync(out);
    const result = new Uint32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
    return { result, ...JSON.parse(text) };
  } finally {
    rmSync(dir, { recursive: true });
  }
}

/** Nodes, edges, sources, targets and followers as little-endian u32; each undirected pair once. */
export function toolInput({ graph }: BenchGraph): Uint8Array {
  const sources: number[] = [];
  const targets: number[] = [];
  for (let from = 0; from < graph.nodes; from++)
    for (let i = graph.offsets[from]!; i < graph.offsets[from + 1]!; i++) {
      const to = graph.targets[i]!;
      if (from < to || !follows(graph, to, from)) {
        sources.push(from);
        targets.push(to);
      }
    }
  const values = new Uint32Array(2 + sources.length * 2 + graph.nodes);
  values.set([graph.nodes, sources.length]);
  values.set(sources, 2);
  values.set(targets, 2 + sources.length);
  values.set(followerCounts(graph), 2 + sources.length * 2);
  return new Uint8Array(values.buffer);
}

function follows(graph: BenchGraph['graph'], from: number, to: number): boolean {
  let low = graph.offsets[from]!;
  let high = graph.offsets[from + 1]!;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (graph.targets[middle]! < to) low = middle + 1;
    else high = middle;
  }
  return low < graph.offsets[from + 1]! && graph.targets[low] === to;
}
