import { spawn } from 'node:child_process';
import { chmodSync, chownSync, existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { connectPostgres } from '@covey/postgres';
import type { PostgresBinaries } from './postgres-binaries.ts';
import type { User } from './unprivileged.ts';

export const POSTGRES_USER = 'covey';

export interface EmbeddedPostgres {
  binaries: PostgresBinaries;
  dataDir: string;
  /** Whom to run it as when this process is root; it owns the data directory. */
  user: User | undefined;
  password: string;
  port: number;
  /** False only for tests: nothing is flushed to disk. */
  durable: boolean;
}

/** initdb or the first connection failed; the message carries what PostgreSQL said. */
export class EmbeddedPostgresError extends Error {
  override name = 'EmbeddedPostgresError';
}

const OUTPUT_CHARACTERS_MAX = 4_000;

/**
 * Makes the data directory. It is made beside its place and moved there when complete, so that a directory at its place
 * is never half made. @throws EmbeddedPostgresError
 */
export async function initPostgres({
  binaries,
  dataDir,
  user,
  password,
  durable,
}: EmbeddedPostgres): Promise<void> {
  const half = `${dataDir}.new`;
  const passwordFile = `${dataDir}.password`;
  rmSync(half, { recursive: true, force: true });
  mkdirSync(half, { recursive: true, mode: 0o700 });
  rmSync(passwordFile, { force: true });
  writeFileSync(passwordFile, `${password}\n`, { mode: 0o600 });
  if (user) for (const path of [half, passwordFile]) chownSync(path, user.uid, user.gid);
  try {
    await run(
      binaries.initdb,
      [
        ...['-D', half, '-U', POSTGRES_USER, '--auth=scram-sha-256', `--pwfile=${passwordFile}`],
        ...['--encoding=UTF8', '--locale-provider=builtin', '--builtin-locale=C.UTF-8', '--locale=C'],
        ...['--no-instructions', ...(durable ? [] : ['--no-sync'])],
      ],
      user,
    );
    chmodSync(half, 0o700);
    renameSync(half, dataDir);
  } finally {
    rmSync(passwordFile, { force: true });
    rmSync(half, { recursive: true, force: true });
  }
}

/** The server's command: loopback only, no socket file, passwords for everybody. */
export function postgresCommand(server: EmbeddedPostgres): { command: string; args: string[] } {
  const settings = {
    listen_addresses: '127.0.0.1',
    port: String(server.port),
    unix_socket_directories: '',
    max_connections: '100',
    shared_buffers: '128MB',
    // The graph is loaded by COPY: fewer checkpoints on the way.
    max_wal_size: '1GB',
    // Not minimal: a sequence whose creation was not logged goes back to its start after a crash, and BullMQ, which makes
    // one for each queue, then drops new jobs that get the ids of old ones.
    wal_level: 'replica',
    max_wal_senders: '0',
    fsync: server.durable ? 'on' : 'off',
    log_min_messages: 'warning',
    // A restart after SIGKILL is the supervisor's business, a crash of one session is PostgreSQL's own.
    restart_after_crash: 'on',
  };
  return {
    command: server.binaries.postgres,
    args: [
      '-D',
      server.dataDir,
      ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
    ],
  };
}

/** Without the caller's PG* variables, which PostgreSQL would obey. */
export function postgresEnv(): NodeJS.ProcessEnv {
  return { PATH: process.env['PATH'], LC_ALL: 'C', ...(process.env['TZ'] ? { TZ: process.env['TZ'] } : {}) };
}

export function postgresUrl({ password, port }: EmbeddedPostgres, database: string): string {
  return `postgres://${POSTGRES_USER}:${encodeURIComponent(password)}@127.0.0.1:${port}/${database}`;
}

const RETRY_MS = 50;

/** Waits until the server at `url` answers a query. @throws EmbeddedPostgresError after `timeoutMs` with the last error. */
export async function waitForPostgres(url: string, timeoutMs: number, signal?: AbortSignal): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const sql = connectPostgres(url, { application: 'covey up', connections: 1 });
    try {
      await sql`select 1`;
      return;
    } catch (cause) {
      if (signal?.aborted || performance.now() > deadline)
        throw new EmbeddedPostgresError(`PostgreSQL does not answer: ${(cause as Error).message}`, { cause });
    } finally {
      await sql.end({ timeout: 1 });
    }
    await sleep(RETRY_MS);
  }
}

/** Creates the database when it is not there. `adminUrl` names a database that is there. */
export async function createDatabase(adminUrl: string, name: string): Promise<void> {
  const sql = connectPostgres(adminUrl, { application: 'covey up', connections: 1 });
  try {
    const [row] = await sql`select 1 from pg_database where datname = ${name}`;
    if (!row) await sql`create database ${sql(name)}`;
  } finally {
    await sql.end({ timeout: 1 });
  }
}

/** Whether `dataDir` holds a complete data directory. */
export function isInitialised(dataDir: string): boolean {
  return existsSync(join(dataDir, 'PG_VERSION')) && existsSync(join(dataDir, 'global', 'pg_control'));
}

async function run(command: string, args: string[], user: User | undefined): Promise<void> {
  const child = spawn(command, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: postgresEnv(),
    cwd: '/',
    ...user,
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => {
      output = (output + text).slice(-OUTPUT_CHARACTERS_MAX);
    });
  const code = await new Promise<number | string | null>((resolve, reject) => {
    child.on('error', (cause) =>
      reject(new EmbeddedPostgresError(`${command} can't be run: ${cause.message}`, { cause })),
    );
    child.on('close', (exitCode, signal) => resolve(exitCode ?? signal));
  });
  if (code !== 0) throw new EmbeddedPostgresError(`initdb failed (${code}):\n${output.trim()}`);
}
