import { readFileSync } from 'node:fs';
import { commandLine, isAlive, processMark } from './process-identity.ts';

const ANCESTORS_MAX = 6;
const LOOK_EVERY_MS = 1_000;

/**
 * npm runs a script through a shell, and when npm is killed outright the script lives on unnoticed. Calls `gone` when
 * the npm that started this process has ended. Does nothing where there is none. @returns how to stop looking.
 */
export function watchNpm(gone: () => void): () => void {
  const npm = findNpm();
  if (!npm) return () => {};
  const timer = setInterval(() => {
    if (isAlive(npm.pid, npm.mark)) return;
    clearInterval(timer);
    gone();
  }, LOOK_EVERY_MS).unref();
  return () => clearInterval(timer);
}

function findNpm(): { pid: number; mark: string } | undefined {
  if (!process.env['npm_execpath'] && !process.env['npm_command']) return undefined;
  let pid: number | undefined = process.ppid;
  for (let i = 0; i < ANCESTORS_MAX && pid && pid > 1; i++) {
    // npm sets its title to "npm start" and the like.
    if (/^np[mx]( |$)|\/np[mx]-cli\.js( |$)/.test(commandLine(pid) ?? '')) {
      const mark = processMark(pid);
      return mark ? { pid, mark } : undefined;
    }
    pid = parentOf(pid);
  }
  return undefined;
}

/** Linux only: elsewhere only a direct parent is found. */
function parentOf(pid: number): number | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
  } catch {
    return undefined;
  }
}
