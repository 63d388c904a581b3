import type { ConnectionOptions, Processor, Queue, QueueOptions, Worker, WorkerOptions } from 'bullmq';
import { bullmq } from './bullmq.ts';

export interface JobsConfig {
  /** Queues of different clusters never meet. */
  cluster: string;
  /** `redis://` or `rediss://`: queues live there. */
  redisUrl?: string | undefined;
  /** Queues live here, in a schema of their own, when there is no Redis. */
  databaseUrl: string;
}

export class JobsConfigError extends Error {
  override name = 'JobsConfigError';
}

/** Makes BullMQ's classes on one of its two backends; what differs between them stays in here. */
export interface Backend {
  kind: 'redis' | 'postgres';
  queue(name: string, options: Omit<QueueOptions, 'connection'>): Queue;
  worker(name: string, processor: Processor, options: Omit<WorkerOptions, 'connection'>): Worker;
}

/** Connections of one queue or worker to PostgreSQL, beside the one that listens. */
const CONNECTIONS_MAX = 2;
const CLUSTER = /^[a-z0-9][a-z0-9-]{0,39}$/;

export function createBackend({ cluster, redisUrl, databaseUrl }: JobsConfig): Backend {
  if (!CLUSTER.test(cluster))
    throw new JobsConfigError(
      `"${cluster}" can't name a cluster: give up to 40 lower-case letters, digits and hyphens`,
    );
  return redisUrl ? redis(redisUrl, `covey-${cluster}`) : postgres(databaseUrl, schemaOf(cluster));
}

/** The schema of a cluster's queues. Hyphens are not allowed in one; the doubled underscore keeps names apart. */
export function schemaOf(cluster: string): string {
  return `covey_jobs_${cluster.replaceAll('-', '__')}`;
}

function redis(url: string, prefix: string): Backend {
  // Workers wait for Redis for ever; who adds a job hears of its absence instead.
  const patient: ConnectionOptions = { url, maxRetriesPerRequest: null };
  const brisk: ConnectionOptions = { url, maxRetriesPerRequest: 3, enableOfflineQueue: true };
  return {
    kind: 'redis',
    queue: (name, options) => new bullmq.Queue(name, { ...options, connection: brisk, prefix }),
    worker: (name, processor, options) =>
      new bullmq.Worker(name, processor, { ...options, connection: patient, prefix }),
  };
}

function postgres(connectionString: string, schema: string): Backend {
  const { Queue: PostgresQueue, Worker: PostgresWorker } = bullmq.withBackend(bullmq.createPostgresBackend);
  const connection = { connectionString, schema, migrate: true, max: CONNECTIONS_MAX };
  return {
    kind: 'postgres',
    queue: (name, options) => new PostgresQueue(name, { ...options, connection }) as unknown as Queue,
    worker: (name, processor, options) =>
      new PostgresWorker(name, processor, { ...options, connection }) as unknown as Worker,
  };
}
