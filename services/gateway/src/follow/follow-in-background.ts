import { Worker } from 'node:worker_threads';
import type { Log } from '../stderr-log.ts';
import type { PluginConfig } from '../strfry/config.ts';
import type { FollowOptions } from './follower.ts';

const RETRY_MS_MIN = 1000;
const RETRY_MS_MAX = 60_000;

/**
 * The follower in a thread of its own: a new table costs it most of a second of computing, and decisions go on meanwhile. A
 * thread that dies is started again, with backoff. It ends with the process.
 */
export function followInBackground({ tableDir, self, cluster, roots, nats }: PluginConfig, log: Log): void {
  const options: FollowOptions = { tableDir, self, cluster, roots, nats: nats! };
  let retryMs = RETRY_MS_MIN;
  const start = () => {
    const startedMs = performance.now();
    // Standard output is kept from the thread: it would arrive among the answers.
    const worker = new Worker(new URL('./follower-thread.ts', import.meta.url), {
      workerData: options,
      stdout: true,
    });
    worker.stdout.resume();
    worker.unref();
    worker.on('error', (error) => log.error({ error: String(error) }, 'following the table failed'));
    worker.on('exit', () => {
      if (performance.now() - startedMs > RETRY_MS_MAX) retryMs = RETRY_MS_MIN;
      log.warn({ retryMs }, 'the table is not followed; trying again');
      setTimeout(start, retryMs).unref();
      retryMs = Math.min(RETRY_MS_MAX, retryMs * 2);
    });
  };
  start();
}
