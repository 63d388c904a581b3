import { createRequire } from 'node:module';
import type * as BullMQ from 'bullmq';

/**
 * BullMQ's CommonJS build: its PostgreSQL backend loads `pg` by `require`, which its ESM build does not have, and only a
 * backend that makes its own connections can be given a schema. Everything takes BullMQ from here, so that there is one
 * copy of it.
 */
export const bullmq = createRequire(import.meta.url)('bullmq') as typeof BullMQ;

/** Thrown by a job that no retry can cure: it is set aside at once. */
export const { UnrecoverableError } = bullmq;
