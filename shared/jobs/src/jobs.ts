import type { Job, Queue, Worker } from 'bullmq';
import { type Backend, createBackend, type JobsConfig } from './backend.ts';
import { bullmq } from './bullmq.ts';
import { type JobView, viewJob } from './job-view.ts';

/** The part of a logger that is used here. */
export interface JobsLogger {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
}

export interface JobsOptions extends JobsConfig {
  logger: JobsLogger;
  /** How long an answer of Redis or PostgreSQL may take (10 s). */
  answerMsMax?: number;
}

/** Given to the work on one job. */
export interface JobContext<P> {
  id: string;
  /** 1 for the first try. */
  attempt: number;
  attemptsMax: number;
  /** Aborted when the process stops: end soon, by throwing; the job goes back to the queue and the try is not counted. */
  signal: AbortSignal;
  /** Tells who watches how far the job is. Told at most twice a second; the last word is never lost. */
  progress(value: P): void;
}

export type Work<D, P, R> = (data: D, context: JobContext<P>) => Promise<R>;

export class JobNotFoundError extends Error {
  override name = 'JobNotFoundError';
}

/** Redis or PostgreSQL did not answer in time: it is away, or can't be reached from here. */
export class JobsUnreachableError extends Error {
  override name = 'JobsUnreachableError';
}

/** Tries of one job, the waits between them growing from 2 s: half a minute in all. */
const ATTEMPTS_MAX = 5;
const BACKOFF_MS = 2_000;
/** Jobs set aside and finished ones that are kept for people to see; the oldest go first. */
const FAILED_KEPT = 1_000;
const COMPLETED_KEPT = 100;
/** A job whose process died this many times is set aside: it may be what kills it. */
const STALLS_MAX = 3;
/** A process that says nothing of its job for so long is dead; how often the others look. */
const LOCK_MS = 15_000;
const STALLED_LOOK_MS = 5_000;
const PROGRESS_MS = 500;
const ANSWER_MS = 10_000;
const CLOSE_MS_MAX = 6_000;
const CUT_MS_MAX = 2_000;

/**
 * The job queues of one cluster, on Redis or PostgreSQL. Jobs are errands, not records: the truth (graph, cursors, runs,
 * epochs) is in PostgreSQL, and a queue that is emptied loses nothing but errands that are under way.
 *
 * A job that fails is tried again, with growing waits; one that has used up its tries, or threw `UnrecoverableError`, is
 * set aside, with its reason, until somebody retries or drops it. The queue goes on.
 */
export class Jobs {
  readonly kind: Backend['kind'];
  readonly #backend: Backend;
  readonly #logger: JobsLogger;
  readonly #answerMsMax: number;
  readonly #queues = new Map<string, Queue>();
  readonly #workers: Worker[] = [];
  readonly #stopping = new AbortController();

  constructor({ logger, answerMsMax = ANSWER_MS, ...config }: JobsOptions) {
    this.#backend = createBackend(config);
    this.kind = this.#backend.kind;
    this.#logger = logger;
    this.#answerMsMax = answerMsMax;
  }

  /**
   * Puts a job into a queue. While a job with the same `key` waits or runs, no second one is made.
   * @returns the job's id, or that of the one that is there already
   */
  async add(queue: string, data: object, { key }: { key?: string } = {}): Promise<string> {
    const options = key === undefined ? {} : { deduplication: { id: key } };
    const job = await this.#ask(this.#queue(queue).add(queue, data, options));
    return job.id!;
  }

  /** Takes jobs from a queue, up to `concurrency` at a time, until `close`. */
  work<D extends object, P extends object, R>(
    queue: string,
    work: Work<D, P, R>,
    { concurrency = 1 }: { concurrency?: number } = {},
  ): void {
    const worker = this.#backend.worker(queue, (job, token) => this.#process(job, token, work), {
      concurrency,
      maxStalledCount: STALLS_MAX,
      lockDuration: LOCK_MS,
      stalledInterval: STALLED_LOOK_MS,
    });
    worker.on('error', (error) => this.#logger.warn({ queue, error: error.message }, 'job worker'));
    worker.on('failed', (job, error) => {
      const aside = job ? job.finishedOn !== undefined : false;
      this.#logger.warn(
        { queue, job: job?.id, attempt: job?.attemptsMade, aside, reason: error.message },
        aside ? 'job set aside' : 'job failed, to be tried again',
      );
    });
    this.#workers.push(worker);
  }

  /** Has a job made every `everyMs`. Another call with the same id changes it; several processes may call. */
  async schedule(queue: string, id: string, everyMs: number, data: object): Promise<void> {
    await this.#ask(this.#queue(queue).upsertJobScheduler(id, { every: everyMs }, { name: queue, data }));
  }

  async unschedule(queue: string, id: string): Promise<void> {
    await this.#ask(this.#queue(queue).removeJobScheduler(id));
  }

  async find(queue: string, id: string): Promise<JobView | undefined> {
    const job = await this.#job(queue, id);
    const view = job && (await this.#ask(viewJob(queue, job)));
    const over = view?.state === 'completed' || view?.state === 'failed';
    if (!over || view.finishedAt !== undefined) return view;
    // It ended between the two questions: the job at hand is from before, and has no result yet.
    const ended = await this.#job(queue, id);
    return ended && (await this.#ask(viewJob(queue, ended)));
  }

  /** Jobs that are set aside, the newest first. */
  async setAside(queue: string, limit = 100): Promise<JobView[]> {
    const jobs = (await this.#ask(this.#queue(queue).getFailed(0, limit - 1))) as Job[];
    return await this.#ask(Promise.all(jobs.map((job) => viewJob(queue, job))));
  }

  /** Puts a job that was set aside back, with all its tries. @throws JobNotFoundError */
  async retry(queue: string, id: string): Promise<void> {
    const job = await this.#failed(queue, id);
    await this.#ask(job.retry('failed', { resetAttemptsMade: true }));
  }

  /** Forgets a job that was set aside. @throws JobNotFoundError */
  async drop(queue: string, id: string): Promise<void> {
    const job = await this.#failed(queue, id);
    await this.#ask(job.remove());
  }

  /** Jobs by state, for metrics: waiting, active, delayed, failed (those set aside), completed. */
  async counts(
    queue: string,
  ): Promise<Record<'waiting' | 'active' | 'delayed' | 'failed' | 'completed', number>> {
    const counts = await this.#ask(
      this.#queue(queue).getJobCounts('waiting', 'active', 'delayed', 'failed', 'completed', 'prioritized'),
    );
    const { prioritized = 0, waiting = 0, active = 0, delayed = 0, failed = 0, completed = 0 } = counts;
    return { waiting: waiting + prioritized, active, delayed, failed, completed };
  }

  /**
   * Stops in order: work under way is asked to end and its jobs go back, then workers, then queues. To be called while
   * Redis or PostgreSQL still runs.
   */
  async close(): Promise<void> {
    this.#stopping.abort(new Error('the process stops'));
    await Promise.all(this.#workers.map(closeWorker));
    for (const queue of this.#queues.values())
      await within(queue.close(), CUT_MS_MAX).catch((error) =>
        this.#logger.warn({ queue: queue.name, error: String(error) }, 'job queue did not close'),
      );
  }

  async #process<D extends object, P extends object, R>(
    job: Job,
    token: string | undefined,
    work: Work<D, P, R>,
  ): Promise<R> {
    const progress = new ProgressThrottle((value) => job.updateProgress(value));
    try {
      const result = await work(job.data as D, {
        id: job.id!,
        attempt: job.attemptsMade + 1,
        attemptsMax: job.opts.attempts ?? 1,
        signal: this.#stopping.signal,
        progress: (value: P) => progress.push(value),
      });
      await progress.end();
      return result;
    } catch (error) {
      await progress.end();
      if (!this.#stopping.signal.aborted || error instanceof bullmq.UnrecoverableError) throw error;
      await job.moveToWait(token);
      throw new bullmq.WaitingError();
    }
  }

  async #failed(queue: string, id: string): Promise<Job> {
    const job = await this.#job(queue, id);
    if (!job || !(await this.#ask(job.isFailed())))
      throw new JobNotFoundError(`no job ${id} is set aside in the queue ${queue}; covey jobs lists them`);
    return job;
  }

  async #job(queue: string, id: string): Promise<Job | undefined> {
    return (await this.#ask(this.#queue(queue).getJob(id))) as Job | undefined;
  }

  /** BullMQ waits for Redis for ever; who asks here hears of it. */
  async #ask<T>(answer: Promise<T>): Promise<T> {
    const result = await within(answer, this.#answerMsMax);
    if (result === LATE)
      throw new JobsUnreachableError(
        `the job queue (${this.kind}) did not answer in ${this.#answerMsMax / 1000} s`,
      );
    return result;
  }

  #queue(name: string): Queue {
    let queue = this.#queues.get(name);
    if (!queue) {
      queue = this.#backend.queue(name, {
        defaultJobOptions: {
          attempts: ATTEMPTS_MAX,
          backoff: { type: 'exponential', delay: BACKOFF_MS, jitter: 0.5 },
          removeOnComplete: { count: COMPLETED_KEPT },
          removeOnFail: { count: FAILED_KEPT },
        },
      });
      queue.on('error', (error) => this.#logger.warn({ queue: name, error: error.message }, 'job queue'));
      this.#queues.set(name, queue);
    }
    return queue;
  }
}

/** Passes on the first value at once, then the latest one at most every half second. */
class ProgressThrottle {
  readonly #send: (value: object) => Promise<void>;
  #waiting: object | undefined;
  #timer: NodeJS.Timeout | undefined;
  #sent: Promise<void> = Promise.resolve();

  constructor(send: (value: object) => Promise<void>) {
    this.#send = send;
  }

  push(value: object): void {
    this.#waiting = value;
    if (!this.#timer) this.#flush();
  }

  async end(): Promise<void> {
    clearTimeout(this.#timer);
    if (this.#waiting) this.#flush();
    clearTimeout(this.#timer);
    await this.#sent;
  }

  #flush(): void {
    const value = this.#waiting;
    this.#waiting = undefined;
    this.#timer = undefined;
    if (value === undefined) return;
    // A lost word of progress is no reason to fail the job.
    this.#sent = this.#sent.then(() => this.#send(value)).catch(() => {});
    this.#timer = setTimeout(() => this.#flush(), PROGRESS_MS);
  }
}

/** Waits for the work under way; past the bound the worker is cut off, and its jobs count as stalled. */
async function closeWorker(worker: Worker): Promise<void> {
  if ((await within(worker.close(), CLOSE_MS_MAX)) === LATE) await within(worker.close(true), CUT_MS_MAX);
}

const LATE = Symbol('late');

async function within<T>(promise: Promise<T>, ms: number): Promise<T | typeof LATE> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<typeof LATE>((resolve) => {
    timer = setTimeout(() => resolve(LATE), ms);
  });
  // Whatever becomes of it later, nobody listens any more.
  promise.catch(() => {});
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
