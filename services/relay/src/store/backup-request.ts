import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { StoreError } from './store-errors.ts';

const REQUEST = 'backup-request.json';
const ANSWER = 'backup-answer.json';
/** How often a running member looks for a request. */
export const BACKUP_LOOK_MS = 1000;
const BACKUP_WAIT_MS = 30 * 60_000;

/** Asks the process that has the folder's store open for a copy of it at `to`, by files in the folder. @throws StoreError */
export async function askForBackup(dir: string, to: string): Promise<void> {
  const answer = join(dir, ANSWER);
  rmSync(answer, { force: true });
  writeWhole(join(dir, REQUEST), { to });
  for (const endMs = Date.now() + BACKUP_WAIT_MS; Date.now() < endMs; ) {
    if (existsSync(answer)) {
      const { error } = JSON.parse(readFileSync(answer, 'utf8')) as { error?: string };
      rmSync(answer, { force: true });
      if (error) throw new StoreError(`the member could not back up: ${error}`);
      return;
    }
    await new Promise((resolve) => setTimeout(resolve, BACKUP_LOOK_MS / 4));
  }
  throw new StoreError(
    `the process that has ${dir} did not back up within ${BACKUP_WAIT_MS / 60_000} minutes`,
  );
}

/** In a running member: makes the backup that was asked for, if one was. Writes go on meanwhile. */
export async function answerBackupRequest(
  dir: string,
  copy: (to: string) => Promise<unknown>,
): Promise<string | undefined> {
  const request = join(dir, REQUEST);
  if (!existsSync(request)) return undefined;
  let to: string | undefined;
  try {
    to = (JSON.parse(readFileSync(request, 'utf8')) as { to: string }).to;
    rmSync(request);
    await copy(to);
    writeWhole(join(dir, ANSWER), { to });
  } catch (error) {
    writeWhole(join(dir, ANSWER), { error: (error as Error).message });
  }
  return to;
}

function writeWhole(path: string, value: object): void {
  writeFileSync(`${path}.new`, JSON.stringify(value), { mode: 0o600 });
  renameSync(`${path}.new`, path);
}
