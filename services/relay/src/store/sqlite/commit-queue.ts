import type { DatabaseSync } from 'node:sqlite';
import { StoreBusyError } from '../store-errors.ts';

interface Waiting {
  run: () => unknown;
  resolve: (value: never) => void;
  reject: (error: unknown) => void;
}

export interface CommitQueueOptions {
  /** How long the first write of a batch waits for others. */
  delayMs: number;
  /** Most writes in one transaction. */
  batchMax: number;
  /** Most writes that wait; further ones are refused with StoreBusyError. */
  waitingMax: number;
  /** Told of every commit: writes in it, and how long it took with its sync to disk. */
  onCommit?: (writes: number, ms: number) => void;
}

/**
 * Group commit: the writes of all connections within a few milliseconds share one transaction and one sync to disk, and
 * each is told of its result only after that commit.
 */
export class CommitQueue {
  readonly #db: DatabaseSync;
  readonly #options: CommitQueueOptions;
  #waiting: Waiting[] = [];
  #timer: NodeJS.Timeout | undefined;
  readonly #onRollback: (() => void)[] = [];
  readonly #onCommitted: (() => void)[] = [];

  constructor(db: DatabaseSync, options: CommitQueueOptions) {
    this.#db = db;
    this.#options = options;
  }

  /** Calls `recount` after a transaction was undone: counts kept in memory may have run ahead. */
  onRollback(recount: () => void): void {
    this.#onRollback.push(recount);
  }

  /** Calls `told` after each commit. */
  onCommitted(told: () => void): void {
    this.#onCommitted.push(told);
  }

  /** Runs `work` inside the next transaction; settles after its commit. @throws StoreBusyError */
  run<T>(work: () => T): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      if (this.#waiting.length >= this.#options.waitingMax) {
        reject(new StoreBusyError('too many writes are waiting for the disk'));
        return;
      }
      this.#waiting.push({ run: work, resolve: resolve as (value: never) => void, reject });
      this.#timer ??= setTimeout(() => this.flush(), this.#options.delayMs);
    });
  }

  /** Commits everything that waits. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const batch = this.#waiting.splice(0, this.#options.batchMax);
    // What is over the batch goes next, after the event loop had a turn.
    if (this.#waiting.length > 0) this.#timer = setTimeout(() => this.flush(), 0);
    if (batch.length === 0) return;
    const start = performance.now();
    try {
      const results = this.#transaction(() => batch.map((write) => write.run()));
      batch.forEach((write, i) => {
        write.resolve(results[i] as never);
      });
    } catch (error) {
      if (batch.length === 1) batch[0]!.reject(error);
      else this.#oneByOne(batch);
    }
    this.#options.onCommit?.(batch.length, performance.now() - start);
  }

  /** One bad write must not fail its neighbours. */
  #oneByOne(batch: readonly Waiting[]): void {
    for (const write of batch) {
      try {
        const result = this.#transaction(write.run);
        write.resolve(result as never);
      } catch (error) {
        write.reject(error);
      }
    }
  }

  #transaction<T>(work: () => T): T {
    let result: T;
    this.#db.exec('BEGIN IMMEDIATE');
    try {
      result = work();
      this.#db.exec('COMMIT');
    } catch (error) {
      if (this.#db.isTransaction) this.#db.exec('ROLLBACK');
      for (const recount of this.#onRollback) recount();
      throw error;
    }
    for (const told of this.#onCommitted) told();
    return result;
  }

  /** Commits what waits, all of it. */
  drain(): void {
    while (this.#waiting.length > 0) this.flush();
  }
}
