import { ConfigError, EnvReader } from '@covey/config';
import { type IngestProgress, type IngestReport, type IngestSource, InvalidSourceError } from '@covey/jobs';
import { connectPostgres, MIGRATIONS, migrate } from '@covey/postgres';
import { IngestInterruptedError, runIngest } from './run-ingest.ts';

/** What this process tells the one that started it. */
export type HereMessage =
  | { type: 'progress'; progress: IngestProgress }
  | { type: 'report'; report: IngestReport }
  | { type: 'error'; error: string; usage: boolean };

// One source, read in this process instead of a coordinator's: `covey ingest --here`. The source is the first argument,
// as JSON; what happens is told to the parent over IPC. Ends when the parent does.
const tell = (message: HereMessage) => process.send?.(message);
const orphaned = () => process.exit(1);
process.on('disconnect', orphaned);
const stop = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => stop.abort());
const env = new EnvReader(process.env);
const sql = connectPostgres(env.url('DATABASE_URL', ['postgres', 'postgresql']), {
  application: 'covey ingest',
});
try {
  await migrate(sql, MIGRATIONS);
  const report = await runIngest({
    source: JSON.parse(process.argv[2] ?? 'null') as IngestSource,
    sql,
    clock: Date.now,
    profile: env.choice('COVEY_PROFILE', ['local', 'public'], 'public'),
    signal: stop.signal,
    onProgress: (progress) => tell({ type: 'progress', progress }),
  });
  tell({ type: 'report', report });
} catch (error) {
  if (error instanceof IngestInterruptedError) tell({ type: 'report', report: error.report });
  else {
    const usage = error instanceof InvalidSourceError || error instanceof ConfigError;
    tell({ type: 'error', error: (error as Error).message, usage });
  }
}
await sql.end();
process.off('disconnect', orphaned);
process.disconnect?.();
