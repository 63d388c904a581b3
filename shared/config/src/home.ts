import { readFileSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { writeSecretFile } from './keys.ts';

/** Where a local cluster keeps everything: `$COVEY_HOME`, by default `.covey` in the current directory. */
export interface HomePaths {
  root: string;
  /** Mode 0700; each file in it 0600. */
  keysDir: string;
  rootKeyFile: string;
  coordinatorKeyFile: string;
  certificateFile: string;
  /** Password of the embedded PostgreSQL. */
  postgresPasswordFile: string;
  membersFile: string;
  postgresDir: string;
  natsDir: string;
  apiDir: string;
  logsDir: string;
  runFile: string;
  /** `n` counts from 1. */
  memberKeyFile(n: number): string;
  memberDir(n: number): string;
  /** Seed of a NATS user: `coordinator`, `api` or `member-<n>`. */
  nkeyFile(user: string): string;
  logFile(process: string): string;
}

export function homeRoot(env: Readonly<Record<string, string | undefined>>): string {
  return resolve(env['COVEY_HOME']?.trim() || '.covey');
}

export function homePaths(root: string): HomePaths {
  const keysDir = join(root, 'keys');
  const logsDir = join(root, 'logs');
  return {
    root,
    keysDir,
    rootKeyFile: join(keysDir, 'root.key'),
    coordinatorKeyFile: join(keysDir, 'coordinator.key'),
    certificateFile: join(keysDir, 'certificate.json'),
    postgresPasswordFile: join(keysDir, 'postgres.password'),
    membersFile: join(root, 'members.json'),
    postgresDir: join(root, 'postgres'),
    natsDir: join(root, 'nats'),
    apiDir: join(root, 'api'),
    logsDir,
    runFile: join(root, 'run.json'),
    memberKeyFile: (n) => join(keysDir, `member-${n}.key`),
    memberDir: (n) => join(root, `member-${n}`),
    nkeyFile: (user) => join(keysDir, `nats-${user}.nk`),
    logFile: (process) => join(logsDir, `${process}.log`),
  };
}

/** `run.json`: the cluster that runs from a home. By it the other commands find what they talk to. Holds a password. */
export interface RunState {
  /** The supervisor's. */
  pid: number;
  cluster: string;
  /** ISO 8601. */
  startedAt: string;
  apiUrl: string;
  databaseUrl: string;
  natsUrl: string;
  /** For a coordinator's connection to NATS. */
  natsNkeyFile?: string;
  natsCredsFile?: string;
  /** Set when BullMQ runs on Redis. */
  redisUrl?: string;
  /** Root public keys, hex. */
  roots: string[];
  members: { id: string; url: string; name: string }[];
  ports: Record<string, number>;
  /** By process name; they change when a process is restarted. */
  pids: Record<string, number>;
}

/** Mode 0600, complete or not at all. */
export function writeRunState(root: string, state: RunState): void {
  writeSecretFile(homePaths(root).runFile, `${JSON.stringify(state, null, 2)}\n`);
}

export function removeRunState(root: string): void {
  rmSync(homePaths(root).runFile, { force: true });
}

/** The cluster that runs from this home; undefined when none does (also when it left its file behind). */
export function readRunState(root: string): RunState | undefined {
  let state: RunState;
  try {
    state = JSON.parse(readFileSync(homePaths(root).runFile, 'utf8'));
  } catch {
    return undefined;
  }
  return Number.isInteger(state?.pid) && exists(state.pid) ? state : undefined;
}

function exists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
