import { INGEST_QUEUE, JobNotFoundError, type Jobs, type JobView, PLACE_QUEUE } from '@covey/jobs';
import type { Command } from 'commander';
import { alignColumns, CommandError, EXIT, runAsking } from '../api-client.ts';
import { findCluster, withJobs } from '../cluster-jobs.ts';

const QUEUES = [INGEST_QUEUE, PLACE_QUEUE] as const;
const SHOWN_MAX = 50;
const DATA_CHARACTERS_MAX = 120;

const help = `
A job that fails is tried again a few times; then it is set aside, and stays here until somebody retries or drops it.
"due later" counts jobs of the schedule, and those that wait to be tried again.

Examples:
  covey jobs
  covey jobs retry ingest:12
  covey jobs drop ingest:12

Exit codes: 0 done, 64 wrong usage, 65 no such job, 69 no cluster there`;

/** `covey jobs`: the queues, and the jobs that were set aside. */
export function registerJobs(program: Command): void {
  const jobs = program
    .command('jobs')
    .description('what waits and runs, and the jobs that failed for good')
    .option('--json', 'one JSON object')
    .addHelpText('after', help)
    .action((flags: { json?: boolean }) => runAsking(() => onCluster((queues) => list(queues, flags))));
  jobs
    .command('retry <job>')
    .description('put a job that was set aside back into its queue')
    .action((job: string) =>
      runAsking(() => onCluster((queues) => change(job, 'is queued again', (q, id) => queues.retry(q, id)))),
    );
  jobs
    .command('drop <job>')
    .description('forget a job that was set aside')
    .action((job: string) =>
      runAsking(() => onCluster((queues) => change(job, 'is forgotten', (q, id) => queues.drop(q, id)))),
    );
}

async function onCluster(action: (jobs: Jobs) => Promise<void>): Promise<void> {
  await withJobs(findCluster(process.env), action);
}

async function list(jobs: Jobs, { json }: { json?: boolean }): Promise<void> {
  const queues = [];
  const setAside: (JobView & { job: string })[] = [];
  for (const queue of QUEUES) {
    queues.push({ queue, ...(await jobs.counts(queue)) });
    for (const view of await jobs.setAside(queue, SHOWN_MAX))
      setAside.push({ job: `${queue}:${view.id}`, ...view });
  }
  if (json) return void console.log(JSON.stringify({ queues, setAside }));
  console.log(
    alignColumns([
      ['queue', 'waiting', 'running', 'due later', 'set aside'],
      ...queues.map((q) => [q.queue, q.waiting, q.active, q.delayed, q.failed]),
    ]),
  );
  for (const { job, reason, attempts, finishedAt, data } of setAside) {
    const when = finishedAt === undefined ? '' : `${new Date(finishedAt).toISOString()}, `;
    console.log(`\n${job}: ${reason}\n  ${when}tries: ${attempts}\n  ${short(data)}`);
  }
}

async function change(
  job: string,
  done: string,
  act: (queue: string, id: string) => Promise<void>,
): Promise<void> {
  const [, queue, id] = /^([a-z]+):(.+)$/.exec(job) ?? [];
  if (!queue || !id || !QUEUES.some((known) => known === queue))
    throw new CommandError(
      EXIT.usage,
      `"${job}" is no job; give one as covey jobs lists it, such as ingest:12`,
    );
  try {
    await act(queue, id);
  } catch (error) {
    if (error instanceof JobNotFoundError) throw new CommandError(EXIT.data, error.message);
    throw error;
  }
  console.log(`${job} ${done}`);
}

function short(data: unknown): string {
  const text = JSON.stringify(data);
  return text.length > DATA_CHARACTERS_MAX ? `${text.slice(0, DATA_CHARACTERS_MAX)}…` : text;
}
