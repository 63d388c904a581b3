import { rm } from 'node:fs/promises';
import { basename, dirname, resolve } from 'node:path';
import {
  addIngestJob,
  emptyCounts,
  INGEST_QUEUE,
  type IngestProgress,
  type IngestReport,
  type IngestSource,
  InvalidSourceError,
  type JobContext,
  type Jobs,
  type JobsLogger,
  SPOOL_FILE,
  UnrecoverableError,
} from '@covey/jobs';
import { closeDeadRuns, dueFutureLists, type Sql } from '@covey/postgres';
import { ExaminerPool } from './examiner-pool.ts';
import { IngestInterruptedError, runIngest } from './run-ingest.ts';

export interface IngestWorkerOptions {
  sql: Sql;
  jobs: Jobs;
  logger: JobsLogger;
  /** Milliseconds since 1970. */
  clock: () => number;
  profile: 'local' | 'public';
  /** Called after a run that changed follow lists or relay lists. */
  onChanged: (report: IngestReport) => void;
  /** Where standard input is spooled to: temporary files are removed only from here. */
  spoolDir: string;
}

/** Sources read at the same time. */
const RUNS_AT_ONCE = 4;
const SET_ASIDE_EVERY_MS = 3_600_000;
const PREPARE_AGAIN_MS = 15_000;
/** A run that has not stirred for this long is dead: longer than any wait within a run. */
const DEAD_AFTER_MS = 300_000;

/** Takes the jobs of the ingest queue. */
export class IngestWorker {
  readonly #options: IngestWorkerOptions;
  readonly #examiners = new ExaminerPool();
  #again: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(options: IngestWorkerOptions) {
    this.#options = options;
  }

  /** Begins to take jobs, and puts back those that a queue without memory (Redis, flushed) has lost. */
  async start(): Promise<void> {
    const { jobs } = this.#options;
    jobs.work<IngestSource, IngestProgress, IngestReport>(
      INGEST_QUEUE,
      (source, job) => this.#run(source, job),
      { concurrency: RUNS_AT_ONCE },
    );
    await this.#prepare();
  }

  /** After `jobs.close()`, which ends the runs. */
  async stop(): Promise<void> {
    clearTimeout(this.#again);
    this.#stopped = true;
    await this.#examiners.close();
  }

  /** The schedule, and what is to be put back. Where the queues can't be reached, it is tried again until they can. */
  async #prepare(): Promise<void> {
    const { jobs, logger } = this.#options;
    try {
      await jobs.schedule(INGEST_QUEUE, 'set-aside', SET_ASIDE_EVERY_MS, { type: 'set-aside' });
      await this.#revive();
    } catch (error) {
      logger.warn({ error: String(error) }, 'the queue of ingest is not there yet');
      if (!this.#stopped) this.#again = setTimeout(() => void this.#prepare(), PREPARE_AGAIN_MS);
    }
  }

  async #run(source: IngestSource, job: JobContext<IngestProgress>): Promise<IngestReport> {
    const { sql, clock, profile, onChanged, logger } = this.#options;
    if (source.type === 'set-aside') {
      await this.#revive();
      const due = await dueFutureLists(sql, Math.floor(clock() / 1000), 1);
      if (due.length === 0) return { run: 0, state: 'complete', counts: emptyCounts(), ms: 0 };
    }
    let last = job.attempt >= job.attemptsMax;
    try {
      const report = await runIngest({
        source,
        sql,
        clock,
        profile,
        examiners: this.#examiners,
        signal: job.signal,
        onProgress: (progress) => job.progress(progress),
      });
      last = true;
      logger.info({ source, ...report }, 'ingest');
      if (report.counts.changed > 0) onChanged(report);
      if (report.error && report.counts.read === 0) throw new UnrecoverableError(report.error);
      return report;
    } catch (error) {
      if (error instanceof IngestInterruptedError && error.report.counts.changed > 0) onChanged(error.report);
      if (!(error instanceof InvalidSourceError)) throw error;
      last = true;
      throw new UnrecoverableError(error.message);
    } finally {
      if (last && !job.signal.aborted) await this.#removeSpooled(source);
    }
  }

  /** Runs whose process died are queued again, unless they are queued still. */
  async #revive(): Promise<void> {
    const { sql, jobs, clock, logger } = this.#options;
    const now = clock();
    for (const source of await closeDeadRuns(sql, new Date(now - DEAD_AFTER_MS), new Date(now))) {
      logger.info({ source }, 'ingest run had died, queued again');
      await addIngestJob(jobs, source as IngestSource);
    }
  }

  async #removeSpooled(source: IngestSource): Promise<void> {
    if (!('temporary' in source) || !source.temporary) return;
    // Nothing but what `covey ingest -` has spooled is ever removed, whatever a job says.
    const { path } = source;
    const spooled =
      dirname(resolve(path)) === resolve(this.#options.spoolDir) && SPOOL_FILE.test(basename(path));
    if (spooled) await rm(path, { force: true });
  }
}
