import { existsSync, lstatSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { HomePaths } from '@covey/config';
import { damaged } from './damaged.ts';

/** `started.json` in the home: a cluster has been ready here. Until then every start is the first one. */
function file({ root }: HomePaths): string {
  return join(root, 'started.json');
}

export function isFirstStart(paths: HomePaths): boolean {
  return !existsSync(file(paths));
}

export function markStarted(paths: HomePaths, epoch: number): void {
  if (isFirstStart(paths))
    writeFileSync(file(paths), `${JSON.stringify({ at: new Date().toISOString(), epoch })}\n`);
}

/**
 * The embedded database of a home that has been ready must be there: epochs are in it, and an empty one would begin again
 * at 1, which no member accepts. @throws UpError
 */
export function checkDatabaseIsThere(paths: HomePaths): void {
  if (isFirstStart(paths) || lstatSync(paths.postgresDir, { throwIfNoEntry: false })) return;
  throw damaged(
    paths.root,
    `${paths.postgresDir} is missing, and the rest of the cluster is there: members refuse epochs that begin again.`,
    'restore it from a backup, or set DATABASE_URL if the database was elsewhere',
  );
}
