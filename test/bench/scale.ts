import { execFile } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus, totalmem } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs, promisify } from 'node:util';
import { type Series, writeLogPlot } from './log-plot.ts';

const load = fileURLToPath(new URL('scale-load.ts', import.meta.url));
/** accounts × follows; the last two take minutes to tens of minutes, and 2 and 8 GB */
const sizes = [
  [7_000, 100_000],
  [20_000, 300_000],
  [60_000, 1_000_000],
  [200_000, 3_500_000],
  [500_000, 12_000_000],
  [1_000_000, 50_000_000],
  [10_000_000, 200_000_000],
] as const;

interface Row {
  accounts: number;
  follows: number;
  ms: Record<string, number>;
  cpuMs: Record<string, number>;
  peakBytes: Record<string, number>;
  idleBytes: number;
}

/**
 * How time and memory of detection and placement grow with the graph: generated graphs from 10⁵ to 2 × 10⁸ follows, each
 * in a process of its own.
 *
 * Options: `--follows-max 12000000` (all sizes up to it; 200000000 for all), `--members 64`, `--threads` (all cores),
 * `--effort quick`, `--seed 1`, `--in FILE` (JSON of earlier runs, to plot again or to add sizes to), `--plot FILE.svg`.
 */
export async function run(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: {
      'follows-max': { type: 'string', default: '12000000' },
      'follows-min': { type: 'string', default: '0' },
      members: { type: 'string', default: '64' },
      threads: { type: 'string', default: String(Math.min(8, availableParallelism())) },
      effort: { type: 'string', default: 'quick' },
      seed: { type: 'string', default: '1' },
      in: { type: 'string' },
      plot: { type: 'string' },
      json: { type: 'boolean' },
    },
  });
  const { members, threads, effort, seed } = values;
  const rows: Row[] = values.in ? JSON.parse(readFileSync(values.in, 'utf8')).rows : [];
  for (const [accounts, follows] of sizes) {
    if (follows > Number(values['follows-max']) || follows < Number(values['follows-min'])) continue;
    console.error(`${accounts} accounts, ${follows} follows`);
    const child = promisify(execFile)(process.execPath, [
      '--disable-warning=ExperimentalWarning',
      load,
      ...[accounts, follows, members, threads, effort, seed].map(String),
    ]);
    child.child.stderr?.pipe(process.stderr);
    rows.push(JSON.parse((await child).stdout));
  }
  rows.sort((a, b) => a.follows - b.follows);
  if (values.plot) writeFileSync(values.plot, plot(rows));
  const machine = {
    node: process.version,
    cpu: cpus()[0]?.model,
    cores: availableParallelism(),
    memory: totalmem(),
  };
  console.log(
    JSON.stringify({ ...machine, members: Number(members), threads: Number(threads), effort, rows }, null, 2),
  );
}

function plot(rows: readonly Row[]): string {
  const points = (value: (row: Row) => number): [number, number][] =>
    rows.map((row) => [row.follows, value(row)]);
  const series: Series[] = [
    { name: 'detect, CPU s', color: '#2563eb', points: points((row) => row.cpuMs['detect'] / 1000) },
    { name: 'place, CPU s', color: '#d97706', points: points((row) => row.cpuMs['place'] / 1000) },
    {
      name: 'peak memory above idle, 10 MB',
      color: '#16a34a',
      points: points((row) => (row.peakBytes['place'] - row.idleBytes) / 1e7),
    },
  ];
  return writeLogPlot({ title: 'Detection and placement (k = 64)', x: 'follows', series });
}
