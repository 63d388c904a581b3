import { GenerateError, generateFollows } from '@covey/graph';
import type { Command } from 'commander';
import { InputError, runCommand, Stopwatch, wholeNumber, writeEdges, writeLines } from '../graph-files.ts';

interface GenerateFlags {
  accounts: number;
  follows: number;
  seed: number;
  out: string;
  communities?: string;
  json?: boolean;
}

const examples = `
Communities from 20 accounts up, with sizes by a power law, in regions; lognormal numbers of follows; accounts popular in
their community, their region or everywhere. Memory: 4 bytes a follow and 20 an account.

Examples:
  covey generate --accounts 200000 --follows 3500000 --out follows.txt.gz
  covey generate --accounts 1000000 --follows 50000000 --seed 2 --out follows.txt.gz --communities planted.tsv
  covey generate --accounts 1000 --follows 20000 --out - | covey place --graph - --members 5 --json

Exit codes: 0 done, 64 wrong usage, 65 sizes that no graph can have or a file that cannot be written, 70 a fault of ours`;

/** `covey generate`: a follow graph to try things on, as an edge list. */
export function registerGenerate(program: Command): void {
  program
    .command('generate')
    .description('make up a follow graph with communities and hubs, to try things on')
    .requiredOption('--accounts <n>', 'how many accounts', wholeNumber(1, 2 ** 31 - 1))
    .requiredOption('--follows <m>', 'how many follows', wholeNumber(0, 2 ** 31 - 1))
    .option('--seed <n>', 'same sizes and seed, same graph', wholeNumber(0, 4294967295), 1)
    .requiredOption('--out <file>', 'edge list, gzip where the name ends in .gz; - for standard output')
    .option('--communities <file>', 'also write which community each account was planted in')
    .option('--json', 'print figures as JSON')
    .addHelpText('after', examples)
    .action((flags: GenerateFlags) => runCommand(() => runGenerate(flags)));
}

async function runGenerate(flags: GenerateFlags): Promise<void> {
  if (flags.out === '-' && (flags.json || flags.communities === '-'))
    throw new InputError('--out - takes standard output: give --json or --communities - another place');
  const watch = new Stopwatch();
  const { accounts, follows, seed } = flags;
  const { graph, communityOf, communities } = generate({ accounts, follows, seed });
  watch.lap('generate');
  await writeEdges(flags.out, graph);
  if (flags.communities) {
    await writeLines(flags.communities, accounts, (account) => `${account}\t${communityOf[account]}\n`);
  }
  watch.lap('write');
  if (flags.json) {
    console.log(JSON.stringify({ accounts, follows, communities, seed, ...watch.finish() }, null, 2));
  } else if (flags.out !== '-') {
    console.log(`${accounts} accounts, ${follows} follows, ${communities} communities: ${flags.out}`);
  }
}

function generate(options: Parameters<typeof generateFollows>[0]): ReturnType<typeof generateFollows> {
  try {
    return generateFollows(options);
  } catch (error) {
    if (error instanceof GenerateError) throw new InputError(error.message, { cause: error });
    throw error;
  }
}
