import { createHash } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import type { HomePaths } from '@covey/config';
import { damaged } from './damaged.ts';
import { isInitialised } from './embedded-postgres.ts';
import { canEnter, postgresUser, type User } from './unprivileged.ts';
import { UP_EXIT, UpError } from './up-error.ts';

export interface PostgresPlace {
  dataDir: string;
  /** For a copy of the binaries, should one be needed. */
  copyDir: string;
  /** Whom to run PostgreSQL as; undefined: as this process. */
  user: User | undefined;
  /** False: initdb has yet to run. */
  initialised: boolean;
}

/** Where data goes when the user who runs PostgreSQL can't enter the home. The second when the first can't be made. */
const OUTSIDE = ['/var/lib/covey', '/var/tmp/covey'];

/**
 * Where the embedded PostgreSQL keeps its data: `$COVEY_HOME/postgres`. Started by root it runs as an unprivileged user;
 * where that user can't enter the home (below /root, say) the data is kept outside and `postgres` is a link to it.
 * Looks only: nothing is made or changed. @throws UpError when what is there is no data directory that can be used.
 */
export function findPostgresPlace(paths: HomePaths): PostgresPlace {
  const { root: home, postgresDir } = paths;
  const user = postgresUser();
  if (existsSync(postgresDir)) return existingPlace(paths, realpathSync(postgresDir), user);
  if (lstatSync(postgresDir, { throwIfNoEntry: false })?.isSymbolicLink()) {
    const dataDir = readlinkSync(postgresDir);
    if (!existsSync(dirname(dataDir)))
      throw damaged(home, `${postgresDir} is a link to ${dataDir}, which is gone.`, 'restore that directory');
    // A first start that was killed before the data directory was made.
    return outsidePlace(dirname(dataDir), user);
  }
  if (!user || canEnter(user, home))
    return { dataDir: postgresDir, copyDir: join(home, 'programs'), user, initialised: false };
  return outsidePlace(outsideDirectory(OUTSIDE[0]!, home), user);
}

function outsidePlace(directory: string, user: User | undefined): PostgresPlace {
  return {
    dataDir: join(directory, 'postgres'),
    copyDir: join(directory, 'programs'),
    user,
    initialised: false,
  };
}

/** A directory for this home that holds no data yet: data there may belong to a home that was moved aside. */
function outsideDirectory(parent: string, home: string): string {
  const hash = createHash('sha256').update(home).digest('hex').slice(0, 16);
  for (let n = 1; ; n++) {
    const directory = join(parent, n === 1 ? hash : `${hash}-${n}`);
    if (!existsSync(join(directory, 'postgres'))) return directory;
  }
}

function existingPlace(
  { root: home, postgresDir }: HomePaths,
  dataDir: string,
  root: User | undefined,
): PostgresPlace {
  const { uid, gid } = statSync(dataDir);
  if (!root && uid !== process.geteuid?.())
    throw new UpError(
      UP_EXIT.cantWrite,
      `${postgresDir} belongs to user ${uid}: this home was made by another user, or by root. Nothing was changed.\nNext: start as that user again, or use another home: COVEY_HOME=…`,
    );
  // Root runs PostgreSQL as whoever owns the data, for PostgreSQL insists on that.
  const user = root && uid !== 0 ? { uid, gid } : root;
  const entries = readdirSync(dataDir);
  const initialised = isInitialised(dataDir);
  if (!initialised && entries.length > 0)
    throw damaged(
      home,
      `${postgresDir} is no complete PostgreSQL data directory (${missingIn(dataDir)}).`,
      'restore it from a backup',
    );
  if (user && !canEnter(user, dataDir))
    throw new UpError(
      UP_EXIT.cantWrite,
      `PostgreSQL, which can't run as root, runs as user ${user.uid}, and that user can't enter ${dataDir}. Nothing was changed.\nNext: let it pass through the directories above (chmod o+x), or move the home`,
    );
  const beside = dataDir === postgresDir ? home : dirname(dataDir);
  return { dataDir, copyDir: join(beside, 'programs'), user, initialised };
}

function missingIn(dataDir: string): string {
  return existsSync(join(dataDir, 'PG_VERSION')) ? 'global/pg_control is missing' : 'PG_VERSION is missing';
}

/** @throws UpError when the data was written by another major version than the one to be started. */
export function checkPostgresVersion(
  { root: home, postgresDir }: HomePaths,
  dataDir: string,
  major: string,
): void {
  const found = readFileSync(join(dataDir, 'PG_VERSION'), 'utf8').trim();
  if (found === major) return;
  const what = /^\d+$/.test(found)
    ? `${postgresDir} was made by PostgreSQL ${found}, and this is PostgreSQL ${major}.`
    : `${postgresDir} is damaged: PG_VERSION is "${found.slice(0, 20)}".`;
  throw damaged(home, what, 'restore it from a backup');
}

/**
 * Makes the directory in which the data directory will stand, and the link to it when that is outside the home.
 * @returns the place, which is another when the first choice can't be made.
 */
export function preparePostgresPlace(
  { root: home, postgresDir }: HomePaths,
  place: PostgresPlace,
): PostgresPlace {
  if (place.initialised || place.dataDir === postgresDir) return place;
  if (lstatSync(postgresDir, { throwIfNoEntry: false })) return place;
  const errors: string[] = [];
  for (const parent of OUTSIDE) {
    try {
      makeOwnDirectory(parent);
      const directory = outsideDirectory(parent, home);
      makeOwnDirectory(directory);
      writeFileSync(join(directory, 'home.txt'), `${home}\n`); // for whoever finds it and wonders
      const outside = outsidePlace(directory, place.user);
      symlinkSync(outside.dataDir, postgresDir);
      return outside;
    } catch (error) {
      errors.push((error as Error).message);
    }
  }
  throw new UpError(
    UP_EXIT.cantWrite,
    `PostgreSQL, which can't run as root, needs a directory that user ${place.user?.uid} can enter, and none could be made: ${errors.join('; ')}.\nNext: set COVEY_HOME to a directory that everybody can enter`,
  );
}

/** Root's alone to write, anybody's to enter. One that somebody else put there (in /var/tmp anybody can) is refused. */
function makeOwnDirectory(path: string): void {
  mkdirSync(path, { recursive: true, mode: 0o755 });
  const { uid, mode } = lstatSync(path);
  if (!lstatSync(path).isDirectory() || uid !== 0 || mode & 0o022)
    throw new Error(`${path} is not root's alone`);
  chmodSync(path, 0o755);
}
