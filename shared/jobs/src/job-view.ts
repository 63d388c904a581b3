import type { Job } from 'bullmq';

/** A job as people and programs see it. */
export interface JobView {
  id: string;
  queue: string;
  state: 'waiting' | 'active' | 'delayed' | 'completed' | 'failed' | 'unknown';
  data: unknown;
  progress: unknown;
  result: unknown;
  /** Of the last try that failed. */
  reason: string | undefined;
  attempts: number;
  attemptsMax: number;
  /** Milliseconds since 1970. */
  addedAt: number;
  finishedAt: number | undefined;
}

const STATES = new Set(['waiting', 'active', 'delayed', 'completed', 'failed']);

export async function viewJob(queue: string, job: Job): Promise<JobView> {
  const state = await job.getState();
  return {
    id: job.id!,
    queue,
    state: (STATES.has(state) ? state : 'unknown') as JobView['state'],
    data: job.data,
    progress: job.progress,
    result: job.returnvalue,
    reason: job.failedReason,
    attempts: job.attemptsMade,
    attemptsMax: job.opts.attempts ?? 1,
    addedAt: job.timestamp,
    finishedAt: job.finishedOn,
  };
}
