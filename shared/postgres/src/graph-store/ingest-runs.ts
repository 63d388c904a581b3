import type { Sql, TransactionSql } from '../index.ts';

export type RunState = 'running' | 'complete' | 'partial' | 'failed';

export interface IngestRun {
  id: number;
  source: unknown;
  state: RunState;
  counts: unknown;
  error: string | null;
  startedAt: Date;
  updatedAt: Date;
  finishedAt: Date | null;
}

const RUNS_KEPT = 1_000;

/** Opens a run, and lets go of the oldest finished ones. `source` and `counts` are plain JSON. */
export async function startRun(sql: Sql, source: object, now: Date): Promise<number> {
  const [row] = await sql<{ id: string }[]>`
    insert into ingest_runs (source, state, counts, started_at, updated_at)
    values (${sql.json(source as never)}, 'running', '{}', ${now}, ${now}) returning id`;
  const id = Number(row!.id);
  await sql`delete from ingest_runs where id <= ${id - RUNS_KEPT} and state <> 'running'`;
  return id;
}

/** In the transaction of a batch: what the run has done so far. */
export async function touchRun(tx: TransactionSql, id: number, counts: object, now: Date): Promise<void> {
  await tx`update ingest_runs set counts = ${tx.json(counts as never)}, updated_at = ${now} where id = ${id}`;
}

export async function finishRun(
  sql: Sql,
  id: number,
  { state, counts, error, now }: { state: RunState; counts: object; error: string | null; now: Date },
): Promise<void> {
  await sql`
    update ingest_runs set state = ${state}, counts = ${sql.json(counts as never)}, error = ${error},
      updated_at = ${now}, finished_at = ${now} where id = ${id}`;
}

/**
 * Closes runs that say they are running and have not stirred since `before`: their process died.
 * @returns the sources of those that nobody has begun again
 */
export async function closeDeadRuns(sql: Sql, before: Date, now: Date): Promise<unknown[]> {
  const rows = await sql<{ source: unknown }[]>`
    with dead as (
      update ingest_runs set state = 'failed', error = 'the process ended in the middle', finished_at = ${now}
      where state = 'running' and updated_at < ${before} returning id, source
    )
    select distinct d.source from dead d
    where not exists (select from ingest_runs later where later.source = d.source and later.id > d.id)`;
  return rows.map(({ source }) => source);
}

/** The newest runs first. */
export async function recentRuns(sql: Sql, limit: number): Promise<IngestRun[]> {
  const rows = await sql<
    (Omit<IngestRun, 'id' | 'startedAt' | 'updatedAt' | 'finishedAt'> & {
      id: string;
      started_at: Date;
      updated_at: Date;
      finished_at: Date | null;
    })[]
  >`select * from ingest_runs order by id desc limit ${limit}`;
  return rows.map(({ id, started_at, updated_at, finished_at, ...row }) => ({
    ...row,
    id: Number(id),
    startedAt: started_at,
    updatedAt: updated_at,
    finishedAt: finished_at,
  }));
}
