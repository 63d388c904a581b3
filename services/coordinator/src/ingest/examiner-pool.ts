import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import type { Examined, ExamineOptions } from './examine.ts';
import type { ExamineRequest } from './examine-thread.ts';
import type { RecordBlock } from './source-chunk.ts';

export class ExaminerError extends Error {
  override name = 'ExaminerError';
}

interface Task {
  request: ExamineRequest;
  resolve: (examined: Examined) => void;
  reject: (error: Error) => void;
}

/**
 * Threads that examine blocks of events, so that checking signatures never holds up the process. Bounded by who calls:
 * each run keeps a few blocks under way (`run-ingest.ts`). Threads start when first needed; a thread that dies fails its
 * block and is replaced.
 */
export class ExaminerPool {
  readonly #threadsMax: number;
  readonly #idle: Worker[] = [];
  readonly #busy = new Map<Worker, Task>();
  readonly #waiting: Task[] = [];
  #closed = false;

  /** @param threadsMax one less than the machine has cores, up to four, unless given */
  constructor(threadsMax = Math.max(1, Math.min(4, availableParallelism() - 1))) {
    this.#threadsMax = threadsMax;
  }

  get threads(): number {
    return this.#threadsMax;
  }

  /** @param now Unix seconds. @throws ExaminerError when the thread dies or the pool is closed */
  examine(block: RecordBlock, now: number, options: ExamineOptions): Promise<Examined> {
    return new Promise((resolve, reject) => {
      if (this.#closed) return reject(new ExaminerError('the pool is closed'));
      this.#waiting.push({ request: { block, now, options }, resolve, reject });
      this.#next();
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    const error = new ExaminerError('the pool is closed');
    for (const task of this.#waiting.splice(0)) task.reject(error);
    const workers = [...this.#idle.splice(0), ...this.#busy.keys()];
    for (const task of this.#busy.values()) task.reject(error);
    this.#busy.clear();
    await Promise.all(workers.map((worker) => worker.terminate()));
  }

  #next(): void {
    while (this.#waiting.length > 0) {
      const worker = this.#idle.pop() ?? (this.#busy.size < this.#threadsMax ? this.#start() : undefined);
      if (!worker) return;
      const task = this.#waiting.shift()!;
      this.#busy.set(worker, task);
      worker.ref();
      const { bytes, ends } = task.request.block;
      worker.postMessage(task.request, [bytes.buffer as ArrayBuffer, ends.buffer as ArrayBuffer]);
    }
  }

  #start(): Worker {
    const worker = new Worker(new URL('./examine-thread.ts', import.meta.url));
    worker.on('message', (examined: Examined) => {
      const task = this.#busy.get(worker);
      this.#busy.delete(worker);
      // An idle thread does not keep the process alive.
      worker.unref();
      this.#idle.push(worker);
      task?.resolve(examined);
      this.#next();
    });
    const gone = (cause: unknown) => {
      const task = this.#busy.get(worker);
      this.#busy.delete(worker);
      const at = this.#idle.indexOf(worker);
      if (at >= 0) this.#idle.splice(at, 1);
      task?.reject(new ExaminerError('a thread that examines events died', { cause }));
      if (!this.#closed) this.#next();
    };
    worker.on('error', gone);
    worker.on('exit', gone);
    return worker;
  }
}
