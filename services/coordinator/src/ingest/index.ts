export { EXAMINE_DEFAULTS, type ExamineOptions } from './examine.ts';
export { ExaminerPool } from './examiner-pool.ts';
export { IngestInterruptedError, type IngestOptions, runIngest } from './run-ingest.ts';
