import { Worker } from 'node:worker_threads';
import { type NostrEvent, type SchnorrVerifier, serializeEvent, type Verdict } from '@covey/nostr';
import { pickVerifier, type VerifierName } from '@covey/verifier';
import { checkSignature, type SignedText, VERDICTS } from './check-signature.ts';
import { packBatch } from './packed-batch.ts';

/** Events in one message to a worker: 4 to 20 ms of work. */
const BATCH_EVENTS_MAX = 96;
const BATCH_CHARACTERS_MAX = 1 << 20;
/** An event whose workers died this often is checked on the main thread. */
const ATTEMPTS_MAX = 2;
/** Deaths without one answer in between after which no further workers are started. */
const DEATHS_MAX = 5;

/** More events wait to be checked than the bound allows. */
export class VerifyBusyError extends Error {
  override name = 'VerifyBusyError';
}

export interface VerifyPoolOptions {
  /** 0 checks everything on the main thread. */
  threads: number;
  /** Events that may wait or be under way; further ones are refused. */
  waitingMax: number;
  /** Told when a worker died. What it had in hand is checked again. */
  onDeath?: (reason: string) => void;
  /** Which verifier, and where its library is; the fastest that is there when not given. */
  verifier?: { wanted?: VerifierName; library?: string };
  /** The worker's program. */
  program?: URL;
}

interface Job {
  signed: SignedText;
  attempts: number;
  verdict: Verdict | undefined;
  resolve: (verdict: Verdict) => void;
}

interface Thread {
  worker: Worker;
  /** What it has in hand; empty when it is free. */
  batch: Job[];
}

/**
 * Checks ids and signatures in worker threads. Verdicts come in the order in which events were handed in, whichever worker
 * had them, so that what a connection sent is treated in its order. A batch goes out as soon as a worker is free: alone
 * when there is little to do, many together under load.
 */
export class VerifyPool {
  readonly #options: VerifyPoolOptions;
  readonly #threads: Thread[] = [];
  readonly #verifier: SchnorrVerifier;
  /** Faster verifiers that can't be used here, and why. */
  readonly passedOver: readonly { name: string; reason: string }[];
  #waiting: Job[] = [];
  /** All that was handed in and not yet answered, oldest first. */
  #order: Job[] = [];
  #released = 0;
  #deaths = 0;
  #closed = false;

  constructor(options: VerifyPoolOptions) {
    this.#options = options;
    const { verifier, passedOver } = pickVerifier(options.verifier);
    this.#verifier = verifier;
    this.passedOver = passedOver;
  }

  /** Name of the verifier in use. */
  get verifierName(): string {
    return this.#verifier.name;
  }

  /** Events that wait or are under way. */
  get waiting(): number {
    return this.#order.length - this.#released;
  }

  /** Settles after every event handed in before. @throws VerifyBusyError */
  verify(event: NostrEvent): Promise<Verdict> {
    return new Promise((resolve, reject) => {
      if (this.waiting >= this.#options.waitingMax || this.#closed) {
        reject(new VerifyBusyError('too many events wait for their signatures to be checked'));
        return;
      }
      const { id, pubkey, sig } = event;
      const signed = { text: serializeEvent(event), id, pubkey, sig };
      const job: Job = { signed, attempts: 0, verdict: undefined, resolve };
      this.#order.push(job);
      this.#waiting.push(job);
      this.#dispatch();
    });
  }

  #dispatch(): void {
    if (this.#closed) return;
    while (this.#waiting.length > 0) {
      const thread = this.#threads.find(({ batch }) => batch.length === 0) ?? this.#start();
      if (!thread) {
        if (this.#threads.length === 0) this.#checkHere(this.#waiting.splice(0));
        return;
      }
      thread.batch = this.#takeBatch();
      const packed = packBatch(thread.batch.map(({ signed }) => signed));
      thread.worker.postMessage(packed, [packed.buffer]);
    }
  }

  #takeBatch(): Job[] {
    let characters = 0;
    let count = 0;
    for (const { signed } of this.#waiting) {
      characters += signed.text.length;
      if (count > 0 && (characters > BATCH_CHARACTERS_MAX || count === BATCH_EVENTS_MAX)) break;
      count++;
    }
    return this.#waiting.splice(0, count);
  }

  #start(): Thread | undefined {
    if (this.#threads.length >= this.#options.threads || this.#deaths >= DEATHS_MAX) return undefined;
    const worker = new Worker(this.#options.program ?? new URL('./verify-worker.ts', import.meta.url), {
      workerData: this.#options.verifier,
    });
    worker.unref();
    const thread: Thread = { worker, batch: [] };
    worker.on('message', (verdicts: Uint8Array) => this.#take(thread, verdicts));
    let reason = '';
    worker.on('error', (error) => {
      reason = String(error);
    });
    worker.on('exit', (code) => this.#bury(thread, reason || `it ended with code ${code}`));
    this.#threads.push(thread);
    return thread;
  }

  #take(thread: Thread, verdicts: Uint8Array): void {
    this.#deaths = 0;
    const batch = thread.batch;
    thread.batch = [];
    batch.forEach((job, i) => {
      // An answer that says nothing of this event is no answer.
      job.verdict = VERDICTS[verdicts[i] ?? -1] ?? VERDICTS[checkSignature(job.signed, this.#verifier)]!;
    });
    this.#dispatch();
    this.#release();
  }

  /** A worker died: what it had goes to another one first of all, or is checked here. */
  #bury(thread: Thread, reason: string): void {
    this.#threads.splice(this.#threads.indexOf(thread), 1);
    if (this.#closed) return;
    this.#deaths++;
    this.#options.onDeath?.(reason);
    const again: Job[] = [];
    for (const job of thread.batch)
      if (++job.attempts < ATTEMPTS_MAX) again.push(job);
      else this.#checkHere([job]);
    this.#waiting.unshift(...again);
    this.#dispatch();
    this.#release();
  }

  #checkHere(jobs: readonly Job[]): void {
    for (const job of jobs) job.verdict = VERDICTS[checkSignature(job.signed, this.#verifier)]!;
    this.#release();
  }

  /** Answers from the oldest on, as far as verdicts are known without a gap. */
  #release(): void {
    for (; this.#released < this.#order.length; this.#released++) {
      const { verdict, resolve } = this.#order[this.#released]!;
      if (verdict === undefined) break;
      resolve(verdict);
    }
    if (this.#released < 1024 && this.#released < this.#order.length) return;
    this.#order = this.#order.slice(this.#released);
    this.#released = 0;
  }

  /** What is under way is checked here and answered; nothing more is taken. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#checkHere(this.#order.slice(this.#released).filter(({ verdict }) => verdict === undefined));
    this.#waiting = [];
    await Promise.all(this.#threads.map(({ worker }) => worker.terminate()));
  }
}
