export { EXAMINE_DEFAULTS, type ExamineOptions } from './examine.ts';
export { ExaminerPool } from './examiner-pool.ts';
export { IngestWorker, type IngestWorkerOptions } from './ingest-worker.ts';
export type { RelayLimits } from './relay/relay-limits.ts';
export { IngestInterruptedError, type IngestOptions, runIngest } from './run-ingest.ts';
