import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type IngestProgress, type IngestSource, type Jobs, sourceLabel } from '@covey/jobs';
import { type Command, Option } from 'commander';
import { CommandError, EXIT, runAsking } from '../api-client.ts';
import { type ClusterLink, findCluster, withJobs } from '../cluster-jobs.ts';
import { ingestByJob } from '../ingest/by-job.ts';
import { ingestHere } from '../ingest/here.ts';
import { ProgressLine } from '../ingest/progress-line.ts';
import { describeOutcome, progressLine, type SourceOutcome, usable } from '../ingest/report.ts';
import { type SourceFlags, toSource } from '../ingest/sources.ts';

interface Flags extends SourceFlags {
  json?: boolean;
  watch?: boolean;
  here?: boolean;
}

const SOURCES_MAX = 100;
const AT_ONCE = 4;
const WATCH_MS = 60_000;

const help = `
A SOURCE is
  a file               events, one JSON object a line (what strfry export writes), plain or gzip
  -                    the same from standard input
  wss://…              a relay, read for follow lists and relay lists from where the last run stopped
  nostr-social-graph   the crawl in the npm package of that name (unsigned)

Events count when id and signature are right. Unsigned sources need --unsigned; a signed list always wins over them.

Examples:
  strfry export | covey ingest -
  covey ingest events.jsonl.gz
  covey ingest wss://relay.one wss://relay.two --watch
  covey ingest follows.txt --format edges --unsigned
  covey ingest events.jsonl --json | jq .counts

Exit codes: 0 all read, 64 wrong usage, 65 a source was broken or had nothing usable, 69 no cluster there`;

/** `covey ingest`: learn follow lists and relay lists. */
export function registerIngest(program: Command): void {
  program
    .command('ingest')
    .description('learn follow lists and relay lists from files, relays and snapshots')
    .argument('<source...>', 'file, -, wss://…, or nostr-social-graph')
    .option('--unsigned', 'take lists that nobody can check')
    .addOption(new Option('--format <format>', 'of files').choices(['events', 'edges']).default('events'))
    .option('--profiles', 'take names from kind 0 events, too')
    .option('--here', 'read in this process instead of the coordinator’s (files that only this machine has)')
    .option('--watch', 'relays: when all is read, look again every minute until Ctrl-C')
    .option('--json', 'one line of JSON for each source')
    .addHelpText('after', help)
    .action((args: string[], flags: Flags) => runAsking(() => ingest(args, flags)));
}

async function ingest(args: string[], flags: Flags): Promise<void> {
  const link = findCluster(process.env);
  const sources = await readSources(args, flags, join(link.home, 'ingest'));
  if (flags.watch && sources.some(({ type }) => type !== 'relay'))
    throw new CommandError(EXIT.usage, '--watch is for relays; files are read once');
  const line = new ProgressLine(process.stderr, !flags.json);
  const readAll = flags.here
    ? () => readHere(link, sources, flags, line)
    : () => withJobs(link, (jobs) => readByJobs(jobs, sources, flags, line));
  do {
    const outcomes = await readAll();
    process.exitCode = outcomes.every(usable) ? EXIT.ok : EXIT.data;
    if (flags.watch) line.show('looking again in a minute; Ctrl-C ends');
  } while (flags.watch && (await delay(WATCH_MS, true)));
}

async function readSources(args: string[], flags: Flags, spoolDir: string): Promise<IngestSource[]> {
  if (args.length > SOURCES_MAX)
    throw new CommandError(EXIT.usage, `${args.length} sources at once; give up to ${SOURCES_MAX}`);
  if (args.filter((arg) => arg === '-').length > 1)
    throw new CommandError(EXIT.usage, 'standard input can be read once');
  const sources: IngestSource[] = [];
  // Standard input last: what is wrong with the others is told before it is read to its end.
  for (const arg of [...args].sort((a, b) => Number(a === '-') - Number(b === '-')))
    sources.push(await toSource(arg, flags, spoolDir, process.stdin));
  return sources;
}

/** All are queued at once; the coordinator reads several at a time. */
async function readByJobs(
  jobs: Jobs,
  sources: readonly IngestSource[],
  flags: Flags,
  line: ProgressLine,
): Promise<SourceOutcome[]> {
  const hint = (text: string) => {
    line.clear();
    if (!flags.json) process.stderr.write(`${text}\n`);
  };
  return await Promise.all(
    sources.map(async (source) => {
      const outcome = await ingestByJob(jobs, source, shower(source, line), hint);
      tell(outcome, flags, line);
      return outcome;
    }),
  );
}

async function readHere(
  link: ClusterLink,
  sources: readonly IngestSource[],
  flags: Flags,
  line: ProgressLine,
): Promise<SourceOutcome[]> {
  const outcomes: SourceOutcome[] = [];
  const waiting = [...sources];
  const reader = async () => {
    for (let source = waiting.shift(); source; source = waiting.shift()) {
      const outcome = await ingestHere(link, source, shower(source, line));
      if ('temporary' in source && source.temporary) await rm(source.path, { force: true });
      tell(outcome, flags, line);
      outcomes.push(outcome);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, reader));
  return outcomes;
}

function shower(source: IngestSource, line: ProgressLine): (progress: IngestProgress) => void {
  const label = sourceLabel(source);
  return (progress) => line.show(progressLine(label, progress));
}

function tell(outcome: SourceOutcome, flags: Flags, line: ProgressLine): void {
  line.clear();
  console.log(flags.json ? JSON.stringify(outcome) : describeOutcome(outcome));
}
