import { setTimeout as delay } from 'node:timers/promises';
import {
  addIngestJob,
  INGEST_QUEUE,
  type IngestProgress,
  type IngestReport,
  type IngestSource,
  type Jobs,
  type JobView,
  sourceLabel,
} from '@covey/jobs';
import { CommandError, EXIT } from '../api-client.ts';
import type { SourceOutcome } from './report.ts';

const LOOK_MS = 250;
const TAKEN_MS_MAX = 10_000;

/**
 * Has a coordinator read a source, and waits for the end. `hint` hears what a person should know meanwhile.
 * @throws CommandError when the queue was emptied under way
 */
export async function ingestByJob(
  jobs: Jobs,
  source: IngestSource,
  onProgress: (progress: IngestProgress) => void,
  hint: (text: string) => void,
): Promise<SourceOutcome> {
  const id = await addIngestJob(jobs, source);
  const job = `${INGEST_QUEUE}:${id}`;
  const label = sourceLabel(source);
  const startedMs = performance.now();
  let hinted = 0;
  while (true) {
    const view = await jobs.find(INGEST_QUEUE, id);
    if (!view)
      throw new CommandError(
        EXIT.unreachable,
        `${label}: its job is gone (the queue was emptied); what had been read is stored. Run it again.`,
      );
    if (isProgress(view.progress)) onProgress(view.progress);
    if (view.state === 'completed') {
      const { state, counts, error, ms } = view.result as IngestReport;
      return { source: label, state, counts, ms, job, ...(error ? { error } : {}) };
    }
    if (view.state === 'failed') return failed(label, job, view);
    if (view.attempts > hinted) {
      hinted = view.attempts;
      hint(`${label}: ${view.reason}; try ${view.attempts + 1} of ${view.attemptsMax} comes`);
    }
    if (view.state === 'waiting' && hinted === 0 && performance.now() - startedMs > TAKEN_MS_MAX) {
      hinted = -1;
      hint(`${label}: queued as job ${job}; no coordinator has taken it yet. It stays queued if you leave.`);
    }
    await delay(LOOK_MS);
  }
}

function failed(source: string, job: string, { reason, progress }: JobView): SourceOutcome {
  const counts = isProgress(progress) ? progress.counts : null;
  return { source, state: 'failed', counts, error: reason ?? 'failed', job };
}

function isProgress(value: unknown): value is IngestProgress {
  return typeof value === 'object' && value !== null && 'counts' in value;
}
