import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import {
  type IngestCounts,
  type IngestProgress,
  type IngestReport,
  type IngestSource,
  sourceLabel,
} from '@covey/jobs';
import { CommandError, EXIT } from '../api-client.ts';
import type { ClusterLink } from '../cluster-jobs.ts';
import type { SourceOutcome } from './report.ts';

/** The coordinator's own reader, as a program: it tells what it does over IPC. */
const READER = fileURLToPath(new URL('../../../coordinator/src/ingest/main.ts', import.meta.url));

type ReaderMessage =
  | { type: 'progress'; progress: IngestProgress }
  | { type: 'report'; report: IngestReport }
  | { type: 'error'; error: string; usage: boolean };

/**
 * Reads a source on this machine, straight into the cluster's database.
 * @throws CommandError (64) for a source that can't be meant so
 */
export async function ingestHere(
  link: ClusterLink,
  source: IngestSource,
  onProgress: (progress: IngestProgress) => void,
): Promise<SourceOutcome> {
  const child = fork(READER, [JSON.stringify(source)], {
    env: { ...process.env, DATABASE_URL: link.databaseUrl, COVEY_PROFILE: link.profile },
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  const label = sourceLabel(source);
  let counts: IngestCounts | null = null;
  return await new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('message', (message: ReaderMessage) => {
      if (message.type === 'progress') {
        counts = message.progress.counts;
        onProgress(message.progress);
      } else if (message.type === 'report') {
        const { state, counts: final, error, ms } = message.report;
        resolve({ source: label, state, counts: final, ms, ...(error ? { error } : {}) });
      } else if (message.usage) reject(new CommandError(EXIT.usage, message.error));
      else resolve({ source: label, state: 'failed', counts, error: message.error });
    });
    child.on('exit', (code, signal) =>
      resolve({ source: label, state: 'failed', counts, error: `the reader ended (${signal ?? code})` }),
    );
  });
}
