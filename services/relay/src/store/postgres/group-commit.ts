import type { WriteRequest, WriteResult } from '../event-store.ts';
import { StoreBusyError, StoreInUseError } from '../store-errors.ts';
import { type Connection, storeError, type Tx } from './connection.ts';

/** More than there are connections for reading. */
const RECOUNT_TRIES = 8;
/** A query on a connection that was cut at the wrong moment may never be answered: then nobody waits longer than this. */
const ANSWER_MS_MAX = 5_000;

interface Job {
  /** Absent: `work` has a transaction of its own. */
  request?: WriteRequest;
  work?: (tx: Tx) => Promise<unknown>;
  resolve: (value: never) => void;
  reject: (error: unknown) => void;
}

export interface GroupCommitOptions {
  connection: Connection;
  /** Carries out writes together, in one transaction. */
  writeAll: (tx: Tx, requests: readonly WriteRequest[]) => Promise<WriteResult[]>;
  writesMax: number;
  waitingMax: number;
  onCommit: (writes: number, ms: number) => void;
  /** After each commit. */
  onCommitted: () => void;
  /** After a transaction was undone: counts kept in memory may have run ahead. */
  recount: () => Promise<void>;
}

/**
 * Writes of all connections share transactions: while one commits the next gather. In the order handed in, one transaction
 * at a time; each is told of its result only after its commit.
 */
export class GroupCommit {
  readonly #options: GroupCommitOptions;
  readonly #waiting: Job[] = [];
  #running: Promise<void> | undefined;
  #needsRecount = false;

  constructor(options: GroupCommitOptions) {
    this.#options = options;
  }

  write(request: WriteRequest): Promise<WriteResult> {
    return this.#add({ request });
  }

  /** Runs `work` in a transaction of its own. */
  run<T>(work: (tx: Tx) => Promise<T>): Promise<T> {
    return this.#add({ work });
  }

  #add<T>(job: Pick<Job, 'request' | 'work'>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      if (this.#waiting.length >= this.#options.waitingMax) {
        reject(new StoreBusyError('too many writes are waiting for PostgreSQL'));
        return;
      }
      this.#waiting.push({ ...job, resolve: resolve as (value: never) => void, reject });
      this.#running ??= this.#work();
    });
  }

  async #work(): Promise<void> {
    // What arrives in the same turn of the event loop shares the first transaction.
    await new Promise((resolve) => setImmediate(resolve));
    while (this.#waiting.length > 0) await this.#commit(this.#next());
    this.#running = undefined;
  }

  /** The writes at the head of the line, or one other piece of work. */
  #next(): Job[] {
    const end = this.#waiting.findIndex((job) => job.work !== undefined);
    const writes = end === -1 ? this.#waiting.length : end;
    return this.#waiting.splice(0, Math.min(Math.max(1, writes), this.#options.writesMax));
  }

  async #commit(jobs: readonly Job[]): Promise<void> {
    const { connection, writeAll, onCommit, onCommitted } = this.#options;
    const start = performance.now();
    try {
      if (this.#needsRecount) await this.#recount();
      this.#needsRecount = false;
      const committing = connection.transaction((tx) => {
        const [{ work }] = jobs as [Job];
        return work
          ? work(tx).then((result) => [result])
          : writeAll(
              tx,
              jobs.map(({ request }) => request!),
            );
      });
      const results = await inTime(committing);
      onCommit(jobs.length, performance.now() - start);
      onCommitted();
      jobs.forEach((job, i) => {
        job.resolve(results[i] as never);
      });
    } catch (error) {
      this.#needsRecount = true;
      if ((error as { cause?: { code?: unknown } }).cause?.code === 'TIMEOUT') connection.renew();
      // One bad write must not fail its neighbours; a server out of reach is not asked again for each of them.
      if (jobs.length === 1 || concernsAll(error)) for (const job of jobs) job.reject(error);
      else for (const job of jobs) await this.#commit([job]);
    }
  }

  /** Connections that were cut are found out one by one, and fail once each. @throws StoreError */
  async #recount(): Promise<void> {
    for (let tries = 1; ; tries++)
      try {
        return await inTime(this.#options.recount());
      } catch (error) {
        if (tries === RECOUNT_TRIES) throw storeError(error, 'could not be counted');
      }
  }

  /** Settles when nothing waits. */
  async drain(): Promise<void> {
    while (this.#running) await this.#running;
  }
}

/** @throws StoreError when there is no answer; what was asked for may have happened all the same */
async function inTime<T>(answer: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    const cause = Object.assign(new Error(`no answer within ${ANSWER_MS_MAX} ms`), { code: 'TIMEOUT' });
    timer = setTimeout(() => reject(storeError(cause, 'did not answer')), ANSWER_MS_MAX);
  });
  answer.catch(() => {});
  return await Promise.race([answer, late]).finally(() => clearTimeout(timer));
}

/** Whether a failure is the connection's or the server's, and not one write's (SQLSTATE 22 and 23, or our own rules). */
function concernsAll(error: unknown): boolean {
  const cause = (error as Error).cause as { code?: unknown } | undefined;
  if (error instanceof StoreInUseError) return true;
  return !(cause instanceof TypeError) && typeof cause?.code === 'string' && !/^2[23]/.test(cause.code);
}
