import { type BigIntStats, type FSWatcher, statSync, watch } from 'node:fs';
import { basename, dirname } from 'node:path';

export interface WatchFileOptions {
  /** How often the file is looked at where the system tells nothing (network file systems, inotify's limits). */
  pollMs?: number;
}

const POLL_MS = 2000;
/** A file that is being replaced changes several times at once. */
const SETTLE_MS = 20;

/**
 * Calls `onChange` after the file at `path` has appeared, changed, been replaced or gone; not for what is there now. Its
 * folder may come later, or be replaced. Keeps no process alive. Returns how to stop.
 */
export function watchFile(
  path: string,
  onChange: () => void,
  { pollMs = POLL_MS }: WatchFileOptions = {},
): () => void {
  const dir = dirname(path);
  const name = basename(path);
  let seen = signature(path);
  let watched = '';
  let watcher: FSWatcher | undefined;
  let settling: NodeJS.Timeout | undefined;

  const compare = () => {
    settling = undefined;
    const now = signature(path);
    if (now === seen) return;
    seen = now;
    onChange();
  };
  const arm = () => {
    const identity = inode(dir);
    if (identity === watched && watcher) return;
    watcher?.close();
    watcher = undefined;
    watched = identity;
    if (!identity) return;
    try {
      watcher = watch(dir, { persistent: false }, (_, changed) => {
        if (changed !== null && changed !== name) return;
        settling ??= setTimeout(compare, SETTLE_MS).unref();
      });
      watcher.on('error', () => {
        watcher?.close();
        watcher = undefined;
      });
    } catch {
      watcher = undefined; // the poll below is enough
    }
  };
  arm();
  const poll = setInterval(() => {
    arm();
    compare();
  }, pollMs);
  poll.unref();
  return () => {
    clearInterval(poll);
    clearTimeout(settling);
    watcher?.close();
  };
}

function signature(path: string): string {
  const stats = look(path);
  return stats ? `${stats.ino} ${stats.size} ${stats.mtimeNs} ${stats.ctimeNs}` : '';
}

function inode(path: string): string {
  const stats = look(path);
  return stats ? `${stats.dev} ${stats.ino}` : '';
}

/** A file behind a folder that can't be entered is as good as none, until it can. */
function look(path: string): BigIntStats | undefined {
  try {
    return statSync(path, { bigint: true, throwIfNoEntry: false });
  } catch {
    return undefined;
  }
}
