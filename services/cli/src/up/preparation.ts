import { type HomePaths, homePaths, removeRunState } from '@covey/config';
import { apiUrl } from './child-specs.ts';
import { type EmbeddedServers, findEmbeddedServers } from './embedded-servers.ts';
import { checkDatabaseIsThere, isFirstStart } from './first-start.ts';
import { HomeLockedError, lockHome } from './home-lock.ts';
import { createIdentity, type Identity, isNewHome, loadIdentity } from './identity.ts';
import { checkOwner, checkPlatform, checkPorts, checkSpace, prepareHome, wantedPorts } from './preflight.ts';
import { findOrphans } from './process-list.ts';
import type { Progress } from './progress.ts';
import { reap } from './reap.ts';
import { MEMBERS, type UpSettings } from './settings.ts';
import { UP_EXIT, UpError } from './up-error.ts';

/** A home that a cluster can be started from. It is this process's until `release`. */
export interface PreparedHome {
  paths: HomePaths;
  /** No start from it has got ready yet. */
  isFirst: boolean;
  identity: Identity;
  embedded: EmbeddedServers;
  release(): void;
}

/** Everything that is looked at before a process is started. @throws UpError; no data has been changed then. */
export async function prepare(settings: UpSettings, progress: Progress): Promise<PreparedHome> {
  const paths = homePaths(settings.home);
  checkPlatform();
  prepareHome(settings.home);
  const release = await takeHome(settings);
  try {
    removeRunState(settings.home); // of a start that was killed
    const { cluster, ports } = settings;
    const nowS = Math.floor(Date.now() / 1000);
    const isNew = isNewHome(paths);
    if (!isNew) checkOwner(settings.home, paths.rootKeyFile);
    checkSpace(settings.home, isFirstStart(paths));
    if (!settings.databaseUrl) checkDatabaseIsThere(paths);
    const embedded = findEmbeddedServers(settings, paths);
    const before = isNew ? undefined : loadIdentity(paths, cluster, ports, nowS);
    await endOrphans(paths, embedded.postgres?.place.dataDir ?? paths.postgresDir, progress);
    const members = before?.ownMembers.map(({ n }) => n) ?? Array.from({ length: MEMBERS }, (_, i) => i + 1);
    await checkPorts(settings, wantedPorts(settings, members));
    if (isNew) createIdentity(paths, cluster, ports, nowS);
    return {
      paths,
      isFirst: isFirstStart(paths),
      embedded,
      release,
      identity: before ?? loadIdentity(paths, cluster, ports, nowS),
    };
  } catch (error) {
    release();
    throw error;
  }
}

async function takeHome(settings: UpSettings): Promise<() => void> {
  try {
    return await lockHome(settings.home, apiUrl(settings));
  } catch (error) {
    if (!(error instanceof HomeLockedError)) throw error;
    const { pid, apiUrl: url } = error.holder;
    throw new UpError(
      UP_EXIT.runsAlready,
      `a cluster runs from ${settings.home} already: ${url} (process ${pid}).\nNext: use that one, or stop it with Ctrl-C where it runs (or: kill ${pid}); a second cluster needs its own COVEY_HOME and COVEY_PORT`,
      { cause: error },
    );
  }
}

/** Ends what an earlier start left running that was killed together with its reaper. */
async function endOrphans({ root, natsDir }: HomePaths, dataDir: string, progress: Progress): Promise<void> {
  const orphans = findOrphans(root, { dataDir, natsDir });
  if (orphans.length === 0) return;
  const name = `ending ${orphans.length} processes of a start that was killed`;
  progress.begin(name);
  const survivors = await reap(orphans);
  if (survivors.length > 0)
    throw new UpError(
      UP_EXIT.unavailable,
      `processes of an earlier start can't be ended: ${survivors.map((ward) => `${ward.name} (${ward.pid})`).join(', ')}.\nNext: end them as the user who owns them, or restart the machine`,
    );
  progress.done(name);
}
