import { homeRoot, readRunState } from '@covey/config';
import { Jobs, JobsConfigError } from '@covey/jobs';
import { CommandError, EXIT } from './api-client.ts';

/** What a command needs to reach a cluster's database and queues. */
export interface ClusterLink {
  cluster: string;
  databaseUrl: string;
  redisUrl: string | undefined;
  /** What the cluster allows; `local` for one that `covey up` runs. */
  profile: 'local' | 'public';
  home: string;
}

/**
 * The cluster that DATABASE_URL (with REDIS_URL and COVEY_CLUSTER) names, else the one that runs in COVEY_HOME.
 * @throws CommandError (69) when there is neither
 */
export function findCluster(env: NodeJS.ProcessEnv): ClusterLink {
  const home = homeRoot(env);
  const run = readRunState(home);
  const databaseUrl = env['DATABASE_URL']?.trim() || run?.databaseUrl;
  if (!databaseUrl)
    throw new CommandError(
      EXIT.unreachable,
      `no cluster runs in ${home}, or it is still starting. Start one with: covey up. Or name one: COVEY_HOME for its folder, or DATABASE_URL (and REDIS_URL where its jobs are on Redis).`,
    );
  const profile = env['COVEY_PROFILE'] || (run ? 'local' : 'public');
  if (profile !== 'local' && profile !== 'public')
    throw new CommandError(EXIT.usage, `COVEY_PROFILE is "${profile}"; it must be local or public`);
  return {
    cluster: env['COVEY_CLUSTER']?.trim() || run?.cluster || 'local',
    databaseUrl,
    redisUrl: env['REDIS_URL']?.trim() || run?.redisUrl,
    profile,
    home,
  };
}

/** Runs `action` on the cluster's queues. @throws CommandError (69) when they can't be reached */
export async function withJobs<T>(link: ClusterLink, action: (jobs: Jobs) => Promise<T>): Promise<T> {
  const jobs = openJobs(link);
  try {
    return await action(jobs);
  } catch (error) {
    if (!isConnectionError(error)) throw error;
    const where = jobs.kind === 'redis' ? 'Redis' : 'PostgreSQL';
    throw new CommandError(
      EXIT.unreachable,
      `the cluster's ${where} can't be reached (${(error as Error).message || (error as { code?: string }).code}). Is the cluster running?`,
      { cause: error },
    );
  } finally {
    await jobs.close().catch(() => {});
  }
}

function openJobs({ cluster, databaseUrl, redisUrl }: ClusterLink): Jobs {
  try {
    // Failures reach whoever calls; repeating them in the background helps nobody here.
    return new Jobs({ cluster, databaseUrl, redisUrl, logger: { info: () => {}, warn: () => {} } });
  } catch (error) {
    if (error instanceof JobsConfigError) throw new CommandError(EXIT.usage, error.message);
    throw error;
  }
}

function isConnectionError(error: unknown): boolean {
  const { code, name, message } = error as { code?: string; name?: string; message?: string };
  return (
    /^(ECONN|ENOTFOUND|EAI_AGAIN|ETIMEDOUT|EPIPE|EHOSTUNREACH|28|3D|57P)/.test(code ?? '') ||
    name === 'JobsUnreachableError' ||
    name === 'MaxRetriesPerRequestError' ||
    /^Connection (is closed|terminated)/.test(message ?? '')
  );
}
