export * from './ingest-job.ts';
