import { randomBytes } from 'node:crypto';
import { rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import postgres from 'postgres';
import {
  createDatabase,
  type EmbeddedPostgres,
  initPostgres,
  postgresCommand,
  postgresEnv,
  postgresUrl,
  waitForPostgres,
} from '../../services/cli/src/up/embedded-postgres.ts';
import { findPostgresPackage, preparePostgres } from '../../services/cli/src/up/postgres-binaries.ts';
import { POSTGRES_STEPS, STAGE_POSTGRES } from '../../services/cli/src/up/reaper-protocol.ts';
import { postgresUser } from '../../services/cli/src/up/unprivileged.ts';
import { NativeServer, onFreePort, temporaryDirectory } from './native-server.ts';

const START_MS_MAX = 20_000;

export interface TestPostgres {
  /** A database of this suite's own, empty. */
  url: string;
  /** Ends the server (SIGQUIT: as a crash would) and starts it again; absent for a server that ran before. */
  restart?(signal: 'SIGINT' | 'SIGQUIT'): Promise<void>;
  stop(): Promise<void>;
}

/** An empty database: in the server that DATABASE_URL names, else in an embedded one of its own. */
export async function startPostgres(): Promise<TestPostgres> {
  const real = process.env['DATABASE_URL'];
  return real ? await databaseIn(real) : await embedded();
}

async function databaseIn(server: string): Promise<TestPostgres> {
  const name = `covey_test_${randomBytes(6).toString('hex')}`;
  await createDatabase(server, name);
  const url = new URL(server);
  url.pathname = `/${name}`;
  const stop = async () => {
    const sql = postgres(server, { max: 1, onnotice: () => {} });
    await sql`drop database if exists ${sql(name)} with (force)`;
    await sql.end();
  };
  return { url: url.href, stop };
}

async function embedded(): Promise<TestPostgres> {
  const user = postgresUser();
  const directory = temporaryDirectory('postgres');
  const copies = join(tmpdir(), `covey-binaries-${process.getuid?.() ?? 0}`);
  const server: EmbeddedPostgres = {
    binaries: preparePostgres(findPostgresPackage(), copies, user),
    dataDir: join(directory, 'data'),
    user,
    password: randomBytes(16).toString('hex'),
    port: 0,
    durable: false,
  };
  await initPostgres(server);
  const start = async (port: number) => {
    server.port = port;
    const child = new NativeServer({
      ...postgresCommand(server),
      log: join(directory, 'log'),
      stage: STAGE_POSTGRES,
      steps: POSTGRES_STEPS,
      options: { env: postgresEnv(), cwd: '/', ...user },
    });
    const url = postgresUrl(server, 'postgres');
    await child.untilReady((signal) => waitForPostgres(url, START_MS_MAX, signal));
    return child;
  };
  let running = await onFreePort(start);
  await createDatabase(postgresUrl(server, 'postgres'), 'covey');
  const stop = async () => {
    await running.stop('SIGINT');
    rmSync(directory, { recursive: true, force: true });
  };
  const restart = async (signal: 'SIGINT' | 'SIGQUIT') => {
    await running.stop(signal);
    rmSync(join(server.dataDir, 'postmaster.pid'), { force: true });
    running = await start(server.port);
  };
  return { url: postgresUrl(server, 'covey'), restart, stop };
}
