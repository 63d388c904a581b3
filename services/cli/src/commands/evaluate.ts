import { evaluate, type PlacementMember } from '@covey/placement';
import { type Command, Option } from 'commander';
import {
  InputError,
  type MemberFileEntry,
  placementMembers,
  readGraph,
  readMembers,
  readPlacement,
  readRows,
  runCommand,
  Stopwatch,
  wholeNumber,
} from '../graph-files.ts';

interface EvaluateFlags {
  graph: string;
  undirected?: boolean;
  placement: string;
  members?: string;
  copies: number;
  reader: 'greedy' | 'priced';
  seed: number;
  sample: number;
  json?: boolean;
}

const examples = `
Examples:
  covey evaluate --graph follows.txt.gz --placement placement.tsv --json
  covey evaluate --graph follows.txt.gz --placement metis.tsv --members 64 --reader priced

Without --members the members are those that the placement names, each of equal capacity.
Exit codes: 0 done, 64 wrong usage, 65 input that cannot be used, 70 a fault of ours`;

/** `covey evaluate`: the figures of any placement file, ours or another tool's. */
export function registerEvaluate(program: Command): void {
  program
    .command('evaluate')
    .description('measure a placement file: relays a reader opens, and how even the load is')
    .requiredOption(
      '--graph <file>',
      'edge list "follower followee" a line, plain or gzip; - for standard input',
    )
    .option('--undirected', 'read each edge both ways')
    .requiredOption('--placement <file>', 'account<TAB>member<TAB>member…, master first')
    .option('--members <n|file>', 'a number of equal members, or a JSON list')
    .option('--copies <n>', 'how many of a row, from the front, take writes', wholeNumber(1, 255), 3)
    .addOption(
      new Option('--reader <rule>', 'how readers choose').choices(['greedy', 'priced']).default('greedy'),
    )
    .option('--seed <n>', 'of the sample and of the random baseline', wholeNumber(0, 4294967295), 1)
    .option('--sample <n>', 'most readers; 0 for all', wholeNumber(0, 4294967295), 20000)
    .option('--json', 'print every figure as JSON')
    .addHelpText('after', examples)
    .action((flags: EvaluateFlags) => runCommand(() => runEvaluate(flags)));
}

async function runEvaluate(flags: EvaluateFlags): Promise<void> {
  const watch = new Stopwatch();
  const graph = await readGraph(flags.graph, flags.undirected === true);
  const entries = flags.members ? readMembers(flags.members) : [];
  const byNumber = flags.members !== undefined && /^\d+$/.test(flags.members);
  const known = flags.members && !byNumber ? entries.map((entry) => entry.id) : membersIn(flags.placement);
  const placement = readPlacement(flags.placement, graph.names, known, flags.copies);
  watch.lap('read');
  const members = membersFor(entries, byNumber, placement.memberIds, graph.names, flags);
  const result = {
    ...evaluate(graph, placement, members, { reader: flags.reader, seed: flags.seed, sample: flags.sample }),
    groups: placement.groups.length,
    unknown: placement.unknown,
  };
  watch.lap('evaluate');
  if (flags.json) {
    console.log(JSON.stringify({ ...result, ...watch.finish() }, null, 2));
    return;
  }
  const figure = (value: number): string => value.toFixed(2);
  console.log(
    [
      `${result.readers} readers open ${figure(result.fanout)} relays (95 %: ${result.fanoutP95});`,
      `random placement ${figure(result.hash.fanout)}.`,
      `Max over mean: copies ${figure(result.copiesBalance)}, connections ${figure(result.connectionBalance)},`,
      `reads ${figure(result.readBalance)}, masters ${figure(result.masterBalance)}.`,
      `Copies a user ${figure(result.copiesPerUser)}; ${result.unplaced} accounts without a member.`,
    ].join(' '),
  );
}

/** The members that a placement names, in the order of their names: the order of its lines changes no figure. */
function membersIn(path: string): string[] {
  const ids = new Set(readRows(path).flatMap(({ members }) => members));
  return [...ids].sort(new Intl.Collator('en', { numeric: true }).compare);
}

/** With a number, the placement's members plus empty ones; with a file, exactly the file's. */
function membersFor(
  entries: readonly MemberFileEntry[],
  byNumber: boolean,
  ids: readonly string[],
  names: readonly string[],
  flags: EvaluateFlags,
): PlacementMember[] {
  if (entries.length === 0) {
    if (ids.length === 0) throw new InputError(`${flags.placement}: places no account of ${flags.graph}`);
    return ids.map((id) => ({ id }));
  }
  if (ids.length > entries.length) {
    const extra = byNumber ? `${ids.length} members` : `member ${ids[entries.length]}`;
    throw new InputError(`${flags.placement}: names ${extra}, more than --members ${flags.members} has`);
  }
  if (!byNumber) return placementMembers(entries, names);
  return entries.map((_, index) => ({ id: ids[index] ?? `unused-${index + 1}` }));
}
