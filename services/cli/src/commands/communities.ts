import type { CommunityEngine } from '@covey/graph';
import type { Command } from 'commander';
import { InputError, readGraph, runCommand, Stopwatch, wholeNumber, writeLines } from '../graph-files.ts';
import { detectOnThreads, engineOption, planMemory, threadsOption } from './place.ts';

interface CommunitiesFlags {
  graph: string;
  engine: CommunityEngine;
  seed: number;
  resolution: string;
  threads: number;
  out?: string;
  json?: boolean;
}

const examples = `
Examples:
  covey communities --graph follows.txt.gz --out communities.tsv --json
  covey communities --graph follows.txt.gz --engine louvain --resolution 2 --out -

communities.tsv: account<TAB>community   0 is the largest
Exit codes: 0 done, 64 wrong usage, 65 input that cannot be used, 70 a fault of ours`;

/** `covey communities`: communities of an edge list. */
export function registerCommunities(program: Command): void {
  program
    .command('communities')
    .description('find the communities of a follow graph')
    .requiredOption(
      '--graph <file>',
      'edge list "follower followee" a line, plain or gzip; - for standard input',
    )
    .option('--undirected', 'accepted for symmetry; communities ignore directions')
    .addOption(engineOption())
    .option('--seed <n>', 'same input and seed, same output', wholeNumber(0, 4294967295), 1)
    .option('--resolution <number>', 'more than 1 gives smaller communities', '1')
    .addOption(threadsOption())
    .option('--out <file>', 'where to write them; - for standard output')
    .option('--json', 'print figures as JSON')
    .addHelpText('after', examples)
    .action((flags: CommunitiesFlags) => runCommand(() => runCommunities(flags)));
}

async function runCommunities(flags: CommunitiesFlags): Promise<void> {
  if (!flags.out && !flags.json) throw new InputError('nothing to do: give --out FILE, --json, or both');
  if (flags.out === '-' && flags.json)
    throw new InputError('--out - and --json both write to standard output');
  const resolution = Number(flags.resolution);
  if (!(resolution > 0) || !Number.isFinite(resolution)) {
    throw new InputError(`--resolution ${flags.resolution}: it must be a number above 0`);
  }
  const watch = new Stopwatch();
  const graph = await readGraph(flags.graph, false);
  watch.lap('read');
  const { engine, seed, threads } = flags;
  planMemory(`finding communities of ${graph.nodes} accounts with ${graph.edges} follows`, {
    accounts: graph.nodes,
    follows: graph.edges,
    threads,
  });
  const found = await detectOnThreads(graph, threads, { engine, seed, resolution });
  watch.lap('detect');
  const { communityOf } = found;
  if (flags.out) {
    await writeLines(
      flags.out,
      graph.nodes,
      (account) => `${graph.names[account]}\t${communityOf[account]}\n`,
    );
  }
  watch.lap('write');
  if (!flags.json) {
    if (flags.out !== '-') {
      const q = found.modularity.toFixed(3);
      console.log(`${graph.nodes} accounts in ${found.count} communities, modularity ${q}: ${flags.out}`);
    }
    return;
  }
  const result = {
    accounts: graph.nodes,
    follows: graph.edges,
    communities: found.count,
    modularity: found.modularity,
    dropped: { selfLoops: graph.selfLoops, duplicates: graph.duplicates },
    seed: flags.seed,
    ...watch.finish(),
  };
  console.log(JSON.stringify(result, null, 2));
}
