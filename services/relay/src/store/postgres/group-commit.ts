import type { WriteRequest, WriteResult } from '../event-store.ts';
import { StoreBusyError, StoreInUseError } from '../store-errors.ts';
import type { Connection, Tx } from './connection.ts';

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
    const { connection, writeAll, onCommit, onCommitted, recount } = this.#options;
    const start = performance.now();
    try {
      if (this.#needsRecount) await recount();
      this.#needsRecount = false;
      const results = await connection.transaction((tx) => {
        const [{ work }] = jobs as [Job];
        return work
          ? work(tx).then((result) => [result])
          : writeAll(
              tx,
              jobs.map(({ request }) => request!),
            );
      });
      onCommit(jobs.length, performance.now() - start);
      onCommitted();
      jobs.forEach((job, i) => {
        job.resolve(results[i] as never);
      });
    } catch (error) {
      this.#needsRecount = true;
      // One bad write must not fail its neighbours; a server out of reach is not asked again for each of them.
      if (jobs.length === 1 || concernsAll(error)) for (const job of jobs) job.reject(error);
      else for (const job of jobs) await this.#commit([job]);
    }
  }

  /** Settles when nothing waits. */
  async drain(): Promise<void> {
    while (this.#running) await this.#running;
  }
}

/** Whether a failure is the connection's or the server's, and not one write's (SQLSTATE 22 and 23, or our own rules). */
function concernsAll(error: unknown): boolean {
  const cause = (error as Error).cause as { code?: unknown } | undefined;
  if (error instanceof StoreInUseError) return true;
  return !(cause instanceof TypeError) && typeof cause?.code === 'string' && !/^2[23]/.test(cause.code);
}
