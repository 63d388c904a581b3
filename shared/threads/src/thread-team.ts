import { MessageChannel, type MessagePort, receiveMessageOnPort, Worker } from 'node:worker_threads';
import {
  type KernelName,
  kernelNames,
  kernels,
  type Scratch,
  scratchFor,
  type Team,
  type Workspace,
} from '@covey/graph';
import { control, SHARDS_MAX, takeShard } from './control.ts';

/** The longest that one step may take in another thread: past it, that thread is taken to have died. */
const STEP_MS_MAX = 15 * 60_000;
/** A worker that has not started by then joins when it has: shards do not wait for it. */
const START_MS_MAX = 10_000;

/** A thread failed, or did not answer. */
export class ThreadError extends Error {
  override name = 'ThreadError';
}

/**
 * Threads that share the steps of community detection: the caller's own and `threads − 1` workers. The caller blocks
 * while a step runs and works on it too. Shards go to whoever is free; what they compute does not depend on that.
 */
export class ThreadTeam implements Team {
  readonly threads: number;
  readonly #state = new Int32Array(new SharedArrayBuffer(control.slots * 4));
  readonly #workers: Worker[] = [];
  readonly #ports: MessagePort[] = [];
  #workspace: Workspace | undefined;
  #scratch: Scratch | undefined;
  #generation = 0;

  private constructor(threads: number) {
    this.threads = threads;
  }

  static async start(threads: number): Promise<ThreadTeam> {
    const team = new ThreadTeam(threads);
    const state = team.#state;
    try {
      for (let i = 1; i < threads; i++) {
        const { port1, port2 } = new MessageChannel();
        const worker = new Worker(new URL('./graph-worker.ts', import.meta.url), {
          workerData: { state, port: port2 },
          transferList: [port2],
        });
        worker.unref();
        worker.on('error', () => Atomics.store(state, control.failed, 1));
        port1.unref();
        team.#workers.push(worker);
        team.#ports.push(port1);
      }
      await startedOrLate(state, threads - 1);
      return team;
    } catch (error) {
      await team.close();
      throw error;
    }
  }

  attach(workspace: Workspace): void {
    this.#workspace = workspace;
    const { nodes } = workspace.level;
    if (!this.#scratch || this.#scratch.linked.length < nodes) this.#scratch = scratchFor(nodes);
    for (const port of this.#ports) port.postMessage(workspace);
    Atomics.add(this.#state, control.attached, 1);
  }

  /** @throws ThreadError */
  run(kernel: KernelName, shards: number): void {
    const work = kernels[kernel];
    if (shards === 1 || this.threads === 1) {
      for (let shard = 0; shard < shards; shard++) work(this.#workspace!, this.#scratch!, shard);
      return;
    }
    if (shards > SHARDS_MAX) throw new ThreadError(`${shards} shards are more than ${SHARDS_MAX}`);
    const state = this.#state;
    // No shard can be taken until the ticket of the new generation is there.
    Atomics.store(state, control.shards, 0);
    Atomics.store(state, control.done, 0);
    Atomics.store(state, control.kernel, kernelNames.indexOf(kernel));
    this.#generation = (this.#generation + 1) & 0x7fff;
    Atomics.store(state, control.ticket, this.#generation << 16);
    Atomics.store(state, control.shards, shards);
    Atomics.add(state, control.ready, 1);
    Atomics.notify(state, control.ready);
    for (let shard = takeShard(state); shard >= 0; shard = takeShard(state)) {
      work(this.#workspace!, this.#scratch!, shard);
      Atomics.add(state, control.done, 1);
    }
    for (;;) {
      const done = Atomics.load(state, control.done);
      if (done >= shards) break;
      if (Atomics.wait(state, control.done, done, STEP_MS_MAX) === 'timed-out') {
        throw new ThreadError(`a thread did not finish ${kernel} within ${STEP_MS_MAX} ms`);
      }
    }
    if (Atomics.load(state, control.failed) === 1) throw new ThreadError(`${kernel}: ${this.#reason()}`);
  }

  #reason(): string {
    for (const port of this.#ports) {
      const received = receiveMessageOnPort(port);
      if (received) return String(received.message);
    }
    return 'a thread died';
  }

  async close(): Promise<void> {
    Atomics.store(this.#state, control.closed, 1);
    Atomics.add(this.#state, control.ready, 1);
    Atomics.notify(this.#state, control.ready);
    for (const port of this.#ports) port.close();
    await Promise.all(this.#workers.map((worker) => worker.terminate()));
  }
}

async function startedOrLate(state: Int32Array, workers: number): Promise<void> {
  const deadline = performance.now() + START_MS_MAX;
  for (;;) {
    const started = Atomics.load(state, control.started);
    const left = deadline - performance.now();
    if (started === workers || left <= 0) return;
    const timer = setTimeout(() => {}, left); // an unsettled wait alone does not keep Node running
    await Atomics.waitAsync(state, control.started, started, left).value;
    clearTimeout(timer);
  }
}
