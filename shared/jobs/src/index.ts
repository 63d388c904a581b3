export { type JobsConfig, JobsConfigError } from './backend.ts';
export { UnrecoverableError } from './bullmq.ts';
export * from './ingest-job.ts';
export type { JobView } from './job-view.ts';
export * from './jobs.ts';
export * from './place-job.ts';
