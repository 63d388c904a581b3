import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { commandLine, isAlive, processMark } from './process-identity.ts';
import { NATS_STEPS, POSTGRES_STEPS, STAGE_NATS, STAGE_POSTGRES, type Ward } from './reaper-protocol.ts';

/**
 * `processes.json` in the home: what runs now, for the start after one whose supervisor and reaper were killed at once.
 * Kept by the supervisor at every start and end of a process.
 */
function file(home: string): string {
  return join(home, 'processes.json');
}

export function writeProcessList(home: string, wards: readonly Ward[]): void {
  const half = `${file(home)}.half`;
  writeFileSync(half, JSON.stringify(wards), { mode: 0o600 });
  renameSync(half, file(home));
}

export function removeProcessList(home: string): void {
  rmSync(file(home), { force: true });
}

/**
 * The processes of an earlier start that still live: by the list, and by the servers' own pid files where the list was
 * lost. A pid is believed only when the process is the very one that was listed, or its command line names our files.
 */
export function findOrphans(
  home: string,
  { dataDir, natsDir }: { dataDir: string; natsDir: string },
): Ward[] {
  const orphans = new Map<number, Ward>();
  for (const ward of readProcessList(home)) if (isAlive(ward.pid, ward.mark)) orphans.set(ward.pid, ward);
  const servers = [
    {
      name: 'postgres',
      pidFile: join(dataDir, 'postmaster.pid'),
      names: `-D ${dataDir} `,
      stage: STAGE_POSTGRES,
      steps: POSTGRES_STEPS,
    },
    {
      name: 'nats',
      pidFile: join(natsDir, 'nats.pid'),
      names: `--config ${natsDir}/`,
      stage: STAGE_NATS,
      steps: NATS_STEPS,
    },
  ];
  for (const { name, pidFile, names, stage, steps } of servers) {
    const pid = readPid(pidFile);
    const mark = pid && processMark(pid);
    if (pid && mark && !orphans.has(pid) && commandLine(pid)?.includes(names))
      orphans.set(pid, { name, pid, mark, stage, steps });
  }
  return [...orphans.values()];
}

function readProcessList(home: string): Ward[] {
  try {
    const list = JSON.parse(readFileSync(file(home), 'utf8'));
    return Array.isArray(list)
      ? list.filter((ward) => Number.isInteger(ward?.pid) && ward.pid > 1 && ward.mark)
      : [];
  } catch {
    return [];
  }
}

function readPid(path: string): number | undefined {
  try {
    const pid = Number(readFileSync(path, 'utf8').split('\n', 1)[0]);
    return Number.isInteger(pid) && pid > 1 ? pid : undefined;
  } catch {
    return undefined;
  }
}

/**
 * A `postmaster.pid` whose pid now belongs to another program would keep PostgreSQL from starting: it can't tell. One
 * whose pid is free is left to PostgreSQL, which finds by it whether sessions of the old server still live.
 * Call it when no orphan is left.
 */
export function removeStalePidFile(dataDir: string): void {
  const path = join(dataDir, 'postmaster.pid');
  const pid = readPid(path);
  if (!pid || !processMark(pid) || commandLine(pid)?.includes(`-D ${dataDir} `)) return;
  rmSync(path, { force: true });
}
