import { availableParallelism } from 'node:os';
import {
  type Communities,
  type DetectOptions,
  detectCommunities,
  type FollowGraph,
  memoryPlan,
  type PlannedRun,
} from '@covey/graph';
import {
  type Effort,
  evaluate,
  type HubPolicy,
  moved,
  type PreviousPlacement,
  place,
} from '@covey/placement';
import { checkMemory, ThreadTeam } from '@covey/threads';
import { type Command, InvalidArgumentError, Option } from 'commander';
import {
  InputError,
  numberNames,
  placementMembers,
  readGraph,
  readMembers,
  readPlacement,
  readRows,
  runCommand,
  Stopwatch,
  wholeNumber,
  writePlacement,
} from '../graph-files.ts';
import { trustBy } from '../trust-files.ts';

interface PlaceFlags {
  graph: string;
  undirected?: boolean;
  members: string;
  copies: number;
  extraCopies: number;
  hubs: HubPolicy;
  previous?: string;
  pins?: string;
  seeds?: string;
  trustAccounts: number;
  seed: number;
  engine: 'auto' | 'leiden' | 'louvain';
  threads: number;
  effort: Effort;
  out?: string;
  json?: boolean;
}

const examples = `
Examples:
  covey place --graph follows.txt.gz --members 64 --out placement.tsv
  covey place --graph follows.txt --members members.json --extra-copies 0 --out placement.tsv --json
  covey place --graph today.txt.gz --members members.json --previous placement.tsv --out next.tsv --json
  covey place --graph follows.txt.gz --members 64 --seeds trusted.txt --out placement.tsv

members.json:  [{"id": "a", "url": "wss://…", "operator": "x", "capacity": {"copies": 1, "connections": 1, "reads": 1},
                 "deny": ["account"], "draining": false}, …]
placement.tsv: account<TAB>member<TAB>member…   master first; pins.tsv has the same shape
Exit codes:    0 done, 64 wrong usage, 65 input that cannot be used or a problem without a solution, 70 a fault of ours`;

/** `covey place`: detects communities in an edge list and places its accounts, without a cluster. */
export function registerPlace(program: Command): void {
  program
    .command('place')
    .description('place the accounts of a follow graph on members (files only, no cluster)')
    .requiredOption(
      '--graph <file>',
      'edge list "follower followee" a line, plain or gzip; - for standard input',
    )
    .option('--undirected', 'read each edge both ways')
    .requiredOption('--members <n|file>', 'a number of equal members, or a JSON list')
    .option('--copies <n>', 'write copies of each account', wholeNumber(1, 255), 3)
    .option('--extra-copies <share>', 'read copies for hubs, as a share of all copies', share, 0.1)
    .addOption(hubsOption())
    .option('--previous <file>', 'placement to start from; keeps what can stay')
    .option('--pins <file>', 'members that accounts chose for themselves')
    .option(
      '--seeds <file>',
      'accounts trusted from the start, one a line: who counts as a reader follows from them',
    )
    .option(
      '--trust-accounts <n>',
      'with --seeds: for how many accounts trust is meant',
      wholeNumber(1, 1e9),
      100_000,
    )
    .option('--seed <n>', 'same input and seed, same output', wholeNumber(0, 4294967295), 1)
    .addOption(engineOption())
    .addOption(threadsOption())
    .addOption(
      new Option('--effort <e>', 'how long to search').choices(['quick', 'normal', 'long']).default('normal'),
    )
    .option('--out <file>', 'where to write the placement; - for standard output')
    .option('--json', 'print every figure as JSON')
    .addHelpText('after', examples)
    .action((flags: PlaceFlags) => runCommand(() => runPlace(flags)));
}

export function engineOption(): Option {
  return new Option('--engine <e>', 'community detection')
    .choices(['auto', 'leiden', 'louvain'])
    .default('auto');
}

export function threadsOption(): Option {
  return new Option('--threads <n>', 'threads for community detection; the result does not depend on it')
    .argParser(wholeNumber(1, 256))
    .default(Math.min(8, availableParallelism()), 'one a core, at most 8');
}

/**
 * Says what a run will need before it begins, where that is not plainly there.
 * @throws InputError when the machine has not so much
 */
export function planMemory(what: string, run: PlannedRun): void {
  const { verdict, text } = checkMemory(memoryPlan(run).peak, what);
  if (verdict === 'exceeds') throw new InputError(text);
  if (verdict === 'tight') process.stderr.write(`covey: ${text}\n`);
}

/** Communities by so many threads, which are gone afterwards. */
export async function detectOnThreads(
  graph: FollowGraph,
  threads: number,
  options: Omit<DetectOptions, 'team'>,
): Promise<Communities> {
  if (threads === 1 || options.engine === 'louvain') return detectCommunities(graph, options);
  const team = await ThreadTeam.start(threads);
  try {
    return detectCommunities(graph, { ...options, team });
  } finally {
    await team.close();
  }
}

function hubsOption(): Option {
  return new Option('--hubs <policy>', 'how to treat the most-followed accounts')
    .choices(['adaptive', 'together', 'spread'])
    .default('adaptive');
}

function share(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !(value >= 0 && value <= 100)) {
    throw new InvalidArgumentError('It must be a number from 0 to 100, such as 0.1 for 10 %.');
  }
  return value;
}

async function runPlace(flags: PlaceFlags): Promise<void> {
  if (!flags.out && !flags.json) throw new InputError('nothing to do: give --out FILE, --json, or both');
  if (flags.out === '-' && flags.json)
    throw new InputError('--out - and --json both write to standard output');
  const watch = new Stopwatch();
  const progress = (text: string): void => {
    if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`);
  };
  const entries = readMembers(flags.members);
  progress('reading');
  const graph = await readGraph(flags.graph, flags.undirected === true);
  const members = placementMembers(entries, graph.names);
  const memberIds = members.map((member) => member.id);
  const previous = flags.previous
    ? readPlacement(flags.previous, graph.names, memberIds, flags.copies)
    : undefined;
  const pins = flags.pins ? readPins(flags.pins, graph.names, memberIds) : undefined;
  watch.lap('read');

  const trusted = trustBy(flags, graph, pins?.pins ?? new Map(), members);
  watch.lap('trust');

  progress('detecting communities');
  const { engine, seed, threads } = flags;
  const { nodes: accounts, edges: follows } = trusted.graph;
  planMemory(`placing ${accounts} accounts with ${follows} follows`, {
    accounts,
    follows,
    members: members.length,
    threads,
  });
  const found = await detectOnThreads(trusted.graph, flags.threads, {
    engine,
    seed,
    ...(trusted.followWeights && { weights: trusted.followWeights }),
  });
  watch.lap('detect');
  const before: PreviousPlacement | undefined = previous && {
    groupOf: previous.groupOf,
    groups: previous.groups,
    members: previous.memberIds,
  };
  const placement = trusted.placed(
    place(
      {
        ...trusted.problem,
        graph: trusted.graph,
        communityOf: found.communityOf,
        members,
        copies: flags.copies,
        extraCopies: flags.extraCopies,
        hubs: flags.hubs,
        seed: flags.seed,
        effort: flags.effort,
        ...(before && { previous: trusted.previous(before) }),
      },
      (phase, done, total) => progress(`${phase} ${done}/${total}`),
    ),
  );
  watch.lap('place');
  if (flags.out) await writePlacement(flags.out, graph.names, placement, memberIds);
  watch.lap('write');

  progress('measuring');
  const evaluation = flags.json ? evaluate(graph, placement, members, { seed: flags.seed }) : undefined;
  const priced = flags.json
    ? evaluate(graph, placement, members, { seed: flags.seed, reader: 'priced', hashSeeds: 1 })
    : undefined;
  watch.lap('evaluate');
  progress('');
  for (const shortfall of placement.shortfalls) {
    process.stderr.write(`covey: ${shortfall.constraint}: ${shortfall.detail}\n`);
  }
  if (!flags.json) {
    if (flags.out === '-') return;
    const { groups } = placement;
    console.log(
      `${graph.nodes} accounts in ${groups.length} groups on ${members.length} members: ${flags.out}`,
    );
    return;
  }
  const result = {
    ...evaluation,
    pricedReader: priced && {
      fanout: priced.fanout,
      connectionBalance: priced.connectionBalance,
      readBalance: priced.readBalance,
    },
    ...(before && { moved: moved(before, { ...placement, members: memberIds }) }),
    ...(previous && { previousUnknown: previous.unknown }),
    ...(pins && { pins: pins.pins.size, pinsUnknown: pins.unknown }),
    trust: trusted.report,
    communities: found.count,
    groups: placement.groups.length,
    modularity: found.modularity,
    shortfalls: placement.shortfalls,
    dropped: { selfLoops: graph.selfLoops, duplicates: graph.duplicates },
    seed: flags.seed,
    ...watch.finish(),
  };
  console.log(JSON.stringify(result, null, 2));
}

/** pins.tsv; names of accounts or members that do not exist are counted, since a user may name any relay. */
function readPins(
  path: string,
  names: readonly string[],
  memberIds: readonly string[],
): { pins: Map<number, number[]>; unknown: number } {
  const accounts = numberNames(names);
  const members = new Map(memberIds.map((id, index) => [id, index]));
  const pins = new Map<number, number[]>();
  let unknown = 0;
  for (const { account, members: wanted } of readRows(path)) {
    const number = accounts.get(account);
    const known = wanted.map((id) => members.get(id)).filter((index) => index !== undefined);
    if (number === undefined || known.length === 0) unknown++;
    else pins.set(number, known);
  }
  return { pins, unknown };
}
