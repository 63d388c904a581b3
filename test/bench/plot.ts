import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type Chart, chartSvg, type Point, type Series } from './engine/chart.ts';

interface Outcome {
  what: string;
  groups?: number;
  figures: { fanoutOfHash: number; connectionBalance: number };
}

interface EngineJson {
  results: {
    file: string;
    placements: {
      k: number;
      copies: number;
      baselines: Outcome[];
      ours: { scenario: string; extraCopies: number; outcomes: Outcome[] }[];
    }[];
  }[];
}

/**
 * Draws what `npm run bench -- engine --scenario placement,limits,groups` measured: `frontier-FILE-K.svg`, fanout against
 * connection balance, and `grouping-FILE-K.svg`, fanout against the number of groups.
 *
 * Options: `--engine results.json` (repeatable: runs of one thing are put together), `--out FOLDER` (shared/placement).
 */
export async function run(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: {
      engine: { type: 'string', multiple: true },
      out: { type: 'string', default: 'shared/placement' },
    },
  });
  if (!values.engine) throw new Error('give --engine FILE: what npm run bench -- engine printed');
  const merged = new Map<
    string,
    {
      file: string;
      k: number;
      baselines: Outcome[];
      ours: EngineJson['results'][number]['placements'][number]['ours'];
    }
  >();
  for (const path of values.engine) {
    const { results } = JSON.parse(readFileSync(path, 'utf8')) as EngineJson;
    for (const { file, placements } of results)
      for (const { k, baselines, ours } of placements) {
        const key = `${file} ${k}`;
        const entry = merged.get(key) ?? { file, k, baselines: [], ours: [] };
        entry.baselines.push(...baselines);
        entry.ours.push(...ours);
        merged.set(key, entry);
      }
  }
  for (const { file, k, baselines, ours } of merged.values()) {
    const name = file.replace(/\.txt(\.gz)?$/, '');
    const write = (kind: string, chart: Chart) => {
      const path = join(values.out, `${kind}-${name}-${k}.svg`);
      writeFileSync(path, chartSvg(chart));
      console.log(path);
    };
    const frontier = [...lines(ours, 'limits', balanceOf), ...baselines.map((one) => dot(one))];
    if (frontier.length > baselines.length)
      write('frontier', {
        title: `${name}, ${k} members`,
        x: 'connections: most loaded member over the mean',
        y: 'relays a reader opens, of random placement',
        series: frontier,
      });
    const grouping = lines(ours, 'groups', (one) => ({ x: one.groups ?? 0, y: one.figures.fanoutOfHash }));
    if (grouping.length > 0)
      write('grouping', {
        title: `${name}, ${k} members`,
        x: 'groups',
        y: 'relays a reader opens, of random placement',
        logX: true,
        series: grouping,
      });
  }
}

const balanceOf = ({ figures }: Outcome): Point => ({
  x: figures.connectionBalance,
  y: figures.fanoutOfHash,
});

function lines(
  ours: EngineJson['results'][number]['placements'][number]['ours'],
  scenario: string,
  pointOf: (one: Outcome) => Point,
): Series[] {
  return ours
    .filter((one) => one.scenario === scenario)
    .map(({ extraCopies, outcomes }) => ({
      name: extraCopies > 0 ? `ours, ${extraCopies * 100} % read copies` : 'ours',
      line: true,
      points: outcomes.map(pointOf).sort((a, b) => a.x - b.x),
    }));
}

function dot(one: Outcome): Series {
  return { name: one.what, line: false, points: [balanceOf(one)] };
}
