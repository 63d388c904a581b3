import {
  emptyCounts,
  type IngestProgress,
  type IngestReport,
  type IngestSource,
  sourceLabel,
} from '@covey/jobs';
import {
  type ArrivingList,
  type FutureList,
  finishRun,
  type Sql,
  setAsideLists,
  startRun,
  storeLists,
  type TransactionSql,
  touchRun,
} from '@covey/postgres';
import { EXAMINE_DEFAULTS, type Examined, type ExamineOptions } from './examine.ts';
import { ExaminerPool } from './examiner-pool.ts';
import { openSource, type SourceOptions } from './open-source.ts';
import { SourceBrokenError, type SourceChunk } from './source-chunk.ts';
import { tallyDecisions, tallyRejected } from './tally.ts';

export interface IngestOptions extends SourceOptions {
  source: IngestSource;
  sql: Sql;
  /** Shared between runs; without one the run has its own. */
  examiners?: ExaminerPool;
  onProgress?: (progress: IngestProgress) => void;
}

/** A batch is written when it has this many lists, or this many follows. */
const BATCH_LISTS_MAX = 4_000;
const BATCH_FOLLOWS_MAX = 400_000;
/** Lists to be set aside are whole events, so few of them make a batch. */
const BATCH_FUTURE_MAX = 64;
/** A batch with a checkpoint is written after this time, however small. */
const BATCH_MS_MAX = 2_000;
/** Chunks under examination for each thread, so that none waits for the next. */
const CHUNKS_A_THREAD = 3;

/** The run broke off in a way that trying again may cure. What it read counts. */
export class IngestInterruptedError extends Error {
  override name = 'IngestInterruptedError';
  readonly report: IngestReport;

  constructor(report: IngestReport, cause: unknown) {
    super(report.error ?? 'interrupted', { cause });
    this.report = report;
  }
}

/**
 * Reads a source to its end: examine, decide, store, count. Running it again is always safe: lists that stand are
 * counted as duplicates.
 * @throws InvalidSourceError before anything is read; IngestInterruptedError when the source broke off and trying again
 *   may help; what the database throws. A source that is broken for good gives a partial report instead.
 */
export async function runIngest(options: IngestOptions): Promise<IngestReport> {
  const { source, sql, clock } = options;
  const chunks = openSource(source, options);
  const run = new Run(options, await startRun(sql, source, new Date(clock())));
  try {
    for await (const chunk of chunks) {
      await run.take(chunk);
      if (options.signal?.aborted)
        throw new SourceBrokenError('stopped before the end', { retry: true, cause: options.signal.reason });
    }
    await run.end();
    return await run.finish('complete');
  } catch (error) {
    if (!(error instanceof SourceBrokenError)) {
      await run.fail(error as Error);
      throw error;
    }
    await run.end();
    const report = await run.finish('partial', error.message);
    if (error.retry) throw new IngestInterruptedError(report, error);
    return report;
  } finally {
    await run.close();
  }
}

class Run {
  readonly #options: IngestOptions;
  readonly #id: number;
  readonly #examiners: ExaminerPool;
  readonly #examine: ExamineOptions;
  readonly #startedMs: number;
  readonly #counts = emptyCounts();
  /** Chunks under examination, oldest first: they are batched in the order in which they came. */
  readonly #pending: { chunk: SourceChunk; examined: Promise<Examined> | undefined }[] = [];
  #lists: ArrivingList[] = [];
  #future: FutureList[] = [];
  #checkpoints: ((tx: TransactionSql) => Promise<void>)[] = [];
  #follows = 0;
  #lastFlushMs: number;
  #position: string | undefined;

  constructor(options: IngestOptions, id: number) {
    this.#options = options;
    this.#id = id;
    this.#examiners = options.examiners ?? new ExaminerPool();
    this.#startedMs = options.clock();
    this.#lastFlushMs = this.#startedMs;
    this.#examine = {
      ...EXAMINE_DEFAULTS,
      source: sourceLabel(options.source),
      privateUrls: options.profile === 'local',
      profiles: options.source.type === 'events' && options.source.profiles === true,
      ...options.limits,
    };
  }

  async take(chunk: SourceChunk): Promise<void> {
    const now = Math.floor(this.#options.clock() / 1000);
    const examined = chunk.records && this.#examiners.examine(chunk.records, now, this.#examine);
    // Failures are met when the chunk's turn comes.
    examined?.catch(() => {});
    this.#pending.push({ chunk, examined });
    while (this.#pending.length > this.#examiners.threads * CHUNKS_A_THREAD) await this.#collect();
  }

  async end(): Promise<void> {
    while (this.#pending.length > 0) await this.#collect();
    await this.#flush();
  }

  async finish(state: 'complete' | 'partial', error?: string): Promise<IngestReport> {
    const { sql, clock } = this.#options;
    const nowMs = clock();
    await finishRun(sql, this.#id, {
      state,
      counts: this.#counts,
      error: error ?? null,
      now: new Date(nowMs),
    });
    const report: IngestReport = { run: this.#id, state, counts: this.#counts, ms: nowMs - this.#startedMs };
    return error === undefined ? report : { ...report, error };
  }

  /** Says so in the run's row as far as the database allows. */
  async fail(error: Error): Promise<void> {
    const { sql, clock } = this.#options;
    const now = new Date(clock());
    await finishRun(sql, this.#id, {
      state: 'failed',
      counts: this.#counts,
      error: error.message.slice(0, 2_000),
      now,
    }).catch(() => {});
  }

  async close(): Promise<void> {
    if (!this.#options.examiners) await this.#examiners.close();
  }

  async #collect(): Promise<void> {
    const { chunk, examined } = this.#pending.shift()!;
    const found = await examined;
    tallyRejected(this.#counts, chunk.rejected);
    tallyRejected(this.#counts, found?.rejected);
    this.#counts.privateRelayUrls += found?.privateRelayUrls ?? 0;
    this.#counts.crowdedSeconds += chunk.crowdedSeconds ?? 0;
    for (const list of [...(chunk.lists ?? []), ...(found?.lists ?? [])]) {
      this.#lists.push(list);
      if (list.type === 'follows') this.#follows += list.followees.length / 32;
    }
    if (found) this.#future.push(...found.future);
    if (chunk.checkpoint) this.#checkpoints.push(chunk.checkpoint);
    if (chunk.position !== undefined) this.#position = chunk.position;
    const due =
      this.#lists.length >= BATCH_LISTS_MAX ||
      this.#follows >= BATCH_FOLLOWS_MAX ||
      this.#future.length >= BATCH_FUTURE_MAX ||
      this.#options.clock() - this.#lastFlushMs >= BATCH_MS_MAX;
    if (due) await this.#flush();
  }

  async #flush(): Promise<void> {
    const lists = this.#lists;
    const future = this.#future;
    const checkpoints = this.#checkpoints;
    this.#lists = [];
    this.#future = [];
    this.#checkpoints = [];
    this.#follows = 0;
    await storeLists(this.#options.sql, lists, async (tx, decisions) => {
      tallyDecisions(this.#counts, lists, decisions);
      await setAsideLists(tx, future);
      for (const checkpoint of checkpoints) await checkpoint(tx);
      await touchRun(tx, this.#id, this.#counts, new Date(this.#options.clock()));
    });
    this.#lastFlushMs = this.#options.clock();
    const position = this.#position;
    this.#options.onProgress?.({
      counts: structuredClone(this.#counts),
      ...(position === undefined ? {} : { position }),
    });
  }
}
