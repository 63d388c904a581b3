import { type Jobs, type JobView, PLACE_QUEUE, type PlaceProgress, type PlaceResult } from '@covey/jobs';
import type { Command } from 'commander';
import { alignColumns, apiUrl, askApi, CommandError, EXIT, runAsking } from '../api-client.ts';
import { withDatabase } from '../cluster-database.ts';
import { findCluster, withJobs } from '../cluster-jobs.ts';
import { wholeNumber } from '../graph-files.ts';

const POLL_MS = 200;

interface RunFlags {
  force?: boolean;
  json?: boolean;
}

const runExamples = `
Asks the coordinator for a placement now and waits for it. Without --force nothing is made when neither the graph nor the
members have changed since the last epoch. Finds the cluster by DATABASE_URL (and REDIS_URL), else by COVEY_HOME.

Examples:
  covey epochs run
  covey epochs run --force --json

Exit codes: 0 done, 65 no placement keeps the limits, 69 no cluster there, 70 a fault of ours`;

const listExamples = `
Examples:
  covey epochs list
  covey epochs list --json --api https://api.birds.example`;

const showExamples = `
Reasons, the first that fits: member left, member draining, denial, pin, trust, member joined, readers (they open fewer relays
this way), balance (load had to be divided). "new" and "gone" accounts are counted beside the moves.

Examples:
  covey epochs show
  covey epochs show 12 --json

Exit codes: 0 shown, 64 wrong usage, 65 no such report, 69 no API there, 77 admin is closed`;

/** `covey epochs`: what the cluster published, and the next one. */
export function registerEpochs(program: Command): void {
  const epochs = program
    .command('epochs')
    .description('list the epochs of the cluster, or make the next one');
  epochs
    .command('run')
    .description('place now, and publish the next epoch')
    .option('--force', 'make an epoch even when nothing has changed')
    .option('--json', 'print one JSON object')
    .addHelpText('after', runExamples)
    .action((flags: RunFlags) => runAsking(() => runEpoch(flags)));
  epochs
    .command('show')
    .description('what an epoch moved and why, and its figures (API with COVEY_ADMIN=open)')
    .argument('[epoch]', 'its number; the newest where left out', wholeNumber(1, Number.MAX_SAFE_INTEGER))
    .option('--api <url>', 'the API to ask')
    .option('--json', 'print the API’s answer')
    .addHelpText('after', showExamples)
    .action((epoch: number | undefined, flags: { api?: string; json?: boolean }) =>
      runAsking(() => showEpoch(epoch, flags)),
    );
  epochs
    .command('list')
    .description('epochs, newest first')
    .option('--api <url>', 'the API to ask')
    .option(
      '--kept',
      'those whose table is kept, from the database: they can be compared, audited, rolled back to',
    )
    .option('--json', 'print one JSON object')
    .addHelpText('after', listExamples)
    .action((flags: { api?: string; kept?: boolean; json?: boolean }) =>
      runAsking(() => (flags.kept ? listKept(flags) : listEpochs(flags))),
    );
}

interface EpochReport {
  epoch: number;
  moved: { accounts: number; byReason: Record<string, number> };
  members: { id: string; came: number; left: number; connections: number; reads: number }[];
  trust: { basis: string; seeds: number; readers: number; placed: number; pinsRefused: number } | null;
  figures: Record<string, number>;
  ms: Record<string, number>;
}

async function showEpoch(epoch: number | undefined, flags: { api?: string; json?: boolean }): Promise<void> {
  const base = apiUrl(flags.api, process.env);
  const path = epoch === undefined ? '/v1/admin/epoch' : `/v1/admin/epochs/${epoch}`;
  const report = await askApi<EpochReport>(base, path);
  if (flags.json) return console.log(JSON.stringify(report, null, 2));
  const { members } = await askApi<{ members: { id: string; name: string }[] }>(base, '/v1/members');
  const names = new Map(members.map(({ id, name }) => [id, name]));
  const { moved, trust, figures, ms } = report;
  const reasons = Object.entries(moved.byReason).filter(([, count]) => count > 0);
  console.log(
    [
      alignColumns([
        ['epoch', String(report.epoch)],
        ['moved', `${moved.accounts} accounts`],
        ...reasons.map(([reason, count]) => [`  ${reason}`, String(count)]),
        ...(trust
          ? [
              [
                'trust',
                trust.basis === 'equal'
                  ? 'no seeds (COVEY_TRUST_SEEDS): every account counts alike'
                  : `from ${trust.seeds} seeds: ${trust.readers} readers, ${trust.placed} accounts placed, ${trust.pinsRefused} pins refused`,
              ],
            ]
          : []),
        ...Object.entries(figures).map(([name, value]) => [
          name,
          Number.isInteger(value) ? String(value) : value.toFixed(3),
        ]),
        [
          'took',
          Object.entries(ms)
            .map(([phase, value]) => `${phase} ${value} ms`)
            .join(', '),
        ],
      ]),
      alignColumns([
        ['member', 'copies came', 'left', 'connections of mean', 'reads of mean'],
        ...report.members.map(({ id, came, left, connections, reads }) => [
          names.get(id) ?? id.slice(0, 12),
          came,
          left,
          connections.toFixed(2),
          reads.toFixed(2),
        ]),
      ]),
    ].join('\n\n'),
  );
}

interface EpochLine {
  epoch: number;
  createdAt: string;
  accounts: number;
  groups: number;
  moved: number;
  root: string;
}

async function listEpochs(flags: { api?: string; json?: boolean }): Promise<void> {
  const answer = await askApi<{ epochs: EpochLine[] }>(apiUrl(flags.api, process.env), '/v1/epochs');
  if (flags.json) return console.log(JSON.stringify(answer, null, 2));
  const rows = answer.epochs.map((e) => [
    e.epoch,
    e.createdAt,
    e.accounts,
    e.groups,
    e.moved,
    e.root.slice(0, 16),
  ]);
  console.log(alignColumns([['epoch', 'computed from', 'accounts', 'groups', 'moved', 'root'], ...rows]));
}

async function listKept({ json }: { json?: boolean }): Promise<void> {
  // Epochs with their whole table, newest first.
  const epochs = await withDatabase(
    findCluster(process.env),
    (sql) => sql<{ epoch: number; reason: string; accounts: number; moved: number; bytes: number }[]>`
      select epoch::float8 as epoch, reason, accounts, moved, octet_length(table_bytes) as bytes
      from epochs where table_bytes is not null order by epoch desc`,
  );
  if (json) return void console.log(JSON.stringify({ epochs: [...epochs] }, null, 2));
  const rows = epochs.map((e) => [e.epoch, e.accounts, e.moved, e.bytes, e.reason]);
  console.log(alignColumns([['epoch', 'accounts', 'moved', 'bytes', 'why'], ...rows]));
}

async function runEpoch({ force = false, json = false }: RunFlags): Promise<void> {
  await withJobs(findCluster(process.env), async (jobs) => {
    const id = await jobs.add(PLACE_QUEUE, { reason: 'covey epochs run', force });
    const view = await untilOver(jobs, id, (text) => {
      if (!json && process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`);
    });
    if (!json && process.stderr.isTTY) process.stderr.write('\r\x1b[K');
    if (view.state === 'failed') throw new CommandError(EXIT.data, `the placement failed: ${view.reason}`);
    const result = view.result as PlaceResult;
    console.log(json ? JSON.stringify(result) : describe(result));
  });
}

async function untilOver(jobs: Jobs, id: string, show: (text: string) => void): Promise<JobView> {
  for (;;) {
    const view = await jobs.find(PLACE_QUEUE, id);
    if (!view)
      throw new CommandError(
        EXIT.internal,
        `the job ${id} is gone: somebody emptied the queue; run it again`,
      );
    if (view.state === 'completed' || view.state === 'failed') return view;
    const progress = view.progress as Partial<PlaceProgress> | undefined;
    show(progress?.phase ? `${progress.phase} …` : `${view.state}; a coordinator that leads takes it`);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

function describe(result: PlaceResult): string {
  if (!result.changed)
    return result.paused === undefined
      ? `nothing changed: epoch ${result.epoch} stays (--force makes a new one all the same)`
      : `placement is paused (${result.paused}): epoch ${result.epoch} stays until covey resume`;
  const { epoch, counts, modularity, tableBytes, deltaBytes, ms, root } = result;
  return alignColumns([
    ['epoch', String(epoch)],
    ['root', root],
    ['accounts', `${counts.accounts} (${counts.moved} moved) in ${counts.groups} groups`],
    [
      'follows',
      `${counts.follows} in ${counts.communities} communities, modularity ${modularity.toFixed(3)}`,
    ],
    ['table', `${tableBytes} bytes${deltaBytes === null ? '' : `, delta ${deltaBytes}`}`],
    [
      'took',
      Object.entries(ms)
        .map(([phase, value]) => `${phase} ${value} ms`)
        .join(', '),
    ],
  ]);
}
