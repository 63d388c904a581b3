import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isAlive, processMark } from './process-identity.ts';

export interface LockHolder {
  pid: number;
  mark: string;
  apiUrl: string;
}

/** Another process holds the home. */
export class HomeLockedError extends Error {
  override name = 'HomeLockedError';
  readonly holder: LockHolder;

  constructor(holder: LockHolder) {
    super(`process ${holder.pid} holds this home`);
    this.holder = holder;
  }
}

const TRIES = 10;

/**
 * Takes the home for this process; of several who try at once, one gets it. A lock whose holder is dead is taken over.
 * @returns how to give it back.
 * @throws HomeLockedError
 */
export function lockHome(home: string, apiUrl: string): () => void {
  const path = join(home, 'lock');
  const mine: LockHolder = { pid: process.pid, mark: processMark(process.pid)!, apiUrl };
  const draft = `${path}.${process.pid}`;
  writeFileSync(draft, JSON.stringify(mine), { mode: 0o600 });
  try {
    for (let tries = 0; tries < TRIES; tries++) {
      try {
        linkSync(draft, path); // fails when the file is there; complete from the first moment
        return () => release(path, mine);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      }
      const holder = readHolder(path);
      if (holder && isAlive(holder.pid, holder.mark)) throw new HomeLockedError(holder);
      removeStale(path);
    }
    throw new Error(`${path} can't be taken over; delete it`);
  } finally {
    rmSync(draft, { force: true });
  }
}

function readHolder(path: string): LockHolder | undefined {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    return undefined; // gone meanwhile, or no lock of ours
  }
}

/** Moves the lock aside, and puts it back when it turns out to be a live one that was taken a moment ago. */
function removeStale(path: string): void {
  const aside = `${path}.${process.pid}.stale`;
  try {
    renameSync(path, aside);
  } catch {
    return; // somebody else removed it
  }
  const holder = readHolder(aside);
  if (holder && isAlive(holder.pid, holder.mark)) {
    try {
      linkSync(aside, path);
    } catch {
      // A third process took it: its holder sees two of them and one fails on the ports.
    }
  }
  rmSync(aside, { force: true });
}

function release(path: string, mine: LockHolder): void {
  const holder = readHolder(path);
  if (holder?.pid === mine.pid && holder.mark === mine.mark) rmSync(path, { force: true });
}
