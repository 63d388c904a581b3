import { randomBytes } from 'node:crypto';
import { chownSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Jobs, PLACE_QUEUE } from '@covey/jobs';
import { connectNats, createNkey, natsServerConfig } from '@covey/nats';
import { connectPostgres, type Sql } from '@covey/postgres';
import { apiPermissions, coordinatorPermissions, memberPermissions } from '@covey/protocol';
import { signCertificate } from '@covey/table';
import { jetstreamManager } from '@nats-io/jetstream';
import { waitForNats } from '../../../services/cli/src/up/embedded-nats.ts';
import {
  createDatabase,
  type EmbeddedPostgres,
  initPostgres,
  postgresCommand,
  postgresEnv,
  postgresUrl,
  waitForPostgres,
} from '../../../services/cli/src/up/embedded-postgres.ts';
import { findNatsServer } from '../../../services/cli/src/up/nats-binary.ts';
import { findPostgresPackage, preparePostgres } from '../../../services/cli/src/up/postgres-binaries.ts';
import { removeStalePidFile } from '../../../services/cli/src/up/process-list.ts';
import { postgresUser } from '../../../services/cli/src/up/unprivileged.ts';
import { newSigner, type Signer } from '../../conformance/signer.ts';
import { freePort } from '../../support/free-port.ts';
import { temporaryDirectory } from '../../support/native-server.ts';
import { TcpProxy } from '../../support/tcp-proxy.ts';
import { waitFor } from '../../support/wait-for.ts';
import { ChaosProcess } from './chaos-process.ts';

const CLUSTER = 'chaos';
const READY_MS = 60_000;
const mainOf = (service: string) =>
  fileURLToPath(new URL(`../../../services/${service}/src/main.ts`, import.meta.url));
const silent = { debug() {}, info() {}, warn() {}, error() {}, fatal() {}, trace() {} } as never;

export interface ChaosSize {
  members: number;
  coordinators: number;
  natsServers: number;
}

interface Service {
  process: ChaosProcess;
  port: number;
}

/** A member, its folder, and the proxy that everybody reaches it through. */
export interface ChaosMember extends Service {
  proxy: TcpProxy;
  url: string;
  id: string;
  dir: string;
  /** Its proxy lets connections through. */
  readonly reachable: boolean;
}

/** A whole cluster as processes of its own, each of which can be hurt. */
export class ChaosCluster {
  readonly #root = temporaryDirectory('chaos');
  readonly postgres: ChaosProcess;
  readonly databaseUrl: string;
  readonly nats: ChaosProcess[];
  readonly natsProxies: TcpProxy[];
  readonly coordinators: Service[];
  readonly members: ChaosMember[];
  readonly #adminNkeyFile: string;
  readonly #natsUrl: string;
  #sql: Sql | undefined;

  private constructor(parts: {
    postgres: ChaosProcess;
    databaseUrl: string;
    nats: ChaosProcess[];
    natsProxies: TcpProxy[];
    coordinators: Service[];
    members: ChaosMember[];
    adminNkeyFile: string;
    natsUrl: string;
    root: string;
  }) {
    this.postgres = parts.postgres;
    this.databaseUrl = parts.databaseUrl;
    this.nats = parts.nats;
    this.natsProxies = parts.natsProxies;
    this.coordinators = parts.coordinators;
    this.members = parts.members;
    this.#adminNkeyFile = parts.adminNkeyFile;
    this.#natsUrl = parts.natsUrl;
    this.#root = parts.root;
  }

  /** Makes keys, settings and proxies, and starts everything. */
  static async start(size: ChaosSize): Promise<ChaosCluster> {
    const root = temporaryDirectory('chaos');
    const file = (name: string, text: string): string => {
      const path = join(root, name);
      writeFileSync(path, text, { mode: 0o600 });
      return path;
    };
    const logDir = join(root, 'log');
    mkdirSync(logDir);
    const log = (name: string) => join(logDir, `${name}.log`);

    const user = postgresUser();
    const server: EmbeddedPostgres = {
      binaries: preparePostgres(
        findPostgresPackage(),
        join(tmpdir(), `covey-binaries-${process.getuid?.() ?? 0}`),
        user,
      ),
      dataDir: join(root, 'postgres'),
      user,
      password: randomBytes(16).toString('hex'),
      port: await freePort(),
      durable: true,
    };
    if (user) chownSync(root, user.uid, user.gid);
    await initPostgres(server);
    const adminUrl = postgresUrl(server, 'postgres');
    const postgres = new ChaosProcess({
      name: 'postgres',
      ...postgresCommand(server),
      options: { env: postgresEnv(), cwd: '/', ...user },
      log: log('postgres'),
      ready: async () => {
        await waitForPostgres(adminUrl, READY_MS);
        await createDatabase(adminUrl, 'covey');
      },
    });

    const memberKeys = Array.from({ length: size.members }, () => newSigner());
    const users = ['coordinator', 'api', ...memberKeys.map(({ pubkey }) => pubkey)].map((name) => {
      const { seed, nkey } = createNkey();
      file(`${name}.nk`, seed);
      const permissions =
        name === 'coordinator'
          ? coordinatorPermissions(CLUSTER)
          : name === 'api'
            ? apiPermissions(CLUSTER)
            : memberPermissions(CLUSTER, name);
      return { nkey, permissions };
    });
    const nkeyFile = (name: string) => join(root, `${name}.nk`);
    const { nats, natsProxies } = await natsServers(size.natsServers, users, root, log);
    const natsUrl = natsProxies.map(({ port }) => `nats://127.0.0.1:${port}`).join(',');

    const authority = newSigner();
    const members = await memberServices(memberKeys, { root, file, log, nkeyFile, natsUrl, authority });
    const membersFile = file(
      'members.json',
      JSON.stringify(
        members.map(({ id, url }, i) => ({
          id,
          url,
          name: `member ${i + 1}`,
          operator: `operator ${i + 1}`,
        })),
      ),
    );
    const databaseUrl = postgresUrl(server, 'covey');
    const coordinators: Service[] = [];
    for (let i = 0; i < size.coordinators; i++) {
      const key = newSigner();
      const certificate = signCertificate(
        {
          cluster: CLUSTER,
          coordinator: key.pubkey,
          root: authority.pubkey,
          createdAt: 0,
          expiration: 4e9,
        },
        authority.secretKey,
      );
      const port = await freePort();
      coordinators.push({
        port,
        process: service('coordinator', `coordinator-${i + 1}`, log, port, {
          DATABASE_URL: databaseUrl,
          NATS_URL: natsUrl,
          NATS_NKEY_FILE: nkeyFile('coordinator'),
          COVEY_HOME: join(root, `home-${i}`),
          COVEY_COORDINATOR_KEY_FILE: file(`coordinator-${i}.key`, key.secretKey),
          COVEY_CERTIFICATE_FILE: file(`certificate-${i}.json`, JSON.stringify(certificate)),
          COVEY_MEMBERS_FILE: membersFile,
          COVEY_NATS_REPLICAS: String(size.natsServers),
          COVEY_ROOTS: authority.pubkey,
          COVEY_PLACE_EVERY_S: '86400',
        }),
      });
    }
    const cluster = new ChaosCluster({
      postgres,
      databaseUrl,
      nats,
      natsProxies,
      coordinators,
      members,
      adminNkeyFile: nkeyFile('coordinator'),
      natsUrl,
      root,
    });
    await postgres.start();
    await Promise.all(nats.map((one) => one.start()));
    for (const { process: one } of coordinators) await one.start();
    await Promise.all(members.map(({ process: one }) => one.start()));
    return cluster;
  }

  /** A connection to the database, made when it is first asked for. */
  get sql(): Sql {
    return (this.#sql ??= connectPostgres(this.databaseUrl, { application: 'chaos', connections: 2 }));
  }

  /** The epoch that PostgreSQL has last, 0 without any. */
  async epoch(): Promise<number> {
    const [row] = await this.sql`select max(epoch) as epoch from epochs`;
    return Number(row?.['epoch'] ?? 0);
  }

  /** Index of the coordinator that says that it leads; −1 when none does. */
  async leader(): Promise<number> {
    for (const [i, { process: one, port }] of this.coordinators.entries())
      if (one.up && (await metric(port, 'covey_coordinator_leading').catch(() => 0)) === 1) return i;
    return -1;
  }

  /** Asks for a placement, and does not wait for it. */
  async requestPlacement(): Promise<void> {
    const jobs = new Jobs({
      cluster: CLUSTER,
      redisUrl: undefined,
      databaseUrl: this.databaseUrl,
      logger: silent,
    });
    try {
      await jobs.add(PLACE_QUEUE, { reason: 'chaos', force: true });
    } finally {
      await jobs.close();
    }
  }

  /** Deletes every stream of the cluster, as an operator who has lost NATS' disks. Waits for JetStream to have a leader. */
  async wipeStreams(): Promise<void> {
    const connection = await connectNats({
      url: this.#natsUrl,
      user: 'coordinator',
      nkeyFile: this.#adminNkeyFile,
    });
    try {
      await waitFor(
        async () => {
          const manager = await jetstreamManager(connection).catch(() => undefined);
          if (!manager) return false;
          for await (const { config } of manager.streams.list()) await manager.streams.delete(config.name);
          return true;
        },
        'JetStream to answer',
        60_000,
      );
    } finally {
      await connection.close();
    }
  }

  async memberMetric(i: number, name: string): Promise<number> {
    return await metric(this.members[i]!.port, name);
  }

  /** What is not whole: members that do not run, copies that are being filled, events that wait in a spool. */
  async unsettled(): Promise<string[]> {
    const left: string[] = [];
    for (const [i, member] of this.members.entries()) {
      if (!member.process.up) left.push(`member ${i + 1} is down`);
      for (const name of ['covey_relay_filling_groups', 'covey_relay_spooled']) {
        const value = await this.memberMetric(i, name).catch(() => Number.NaN);
        if (value !== 0) left.push(`member ${i + 1}: ${name} ${value}`);
      }
    }
    return left;
  }

  /** Waits until all is whole. @throws Error that says what is not. */
  async untilSettled(timeoutMs: number): Promise<void> {
    const deadlineMs = performance.now() + timeoutMs;
    for (let left = await this.unsettled(); left.length > 0; left = await this.unsettled()) {
      if (performance.now() > deadlineMs)
        throw new Error(`not whole after ${timeoutMs / 1000} s: ${left.join('; ')}`);
      await delay(50);
    }
  }

  /** A member's disk is lost. */
  wipe(i: number): void {
    rmSync(this.members[i]!.dir, { recursive: true, force: true });
  }

  async stop({ keepLogs = false } = {}): Promise<void> {
    await this.#sql?.end({ timeout: 1 }).catch(() => {});
    const all = [
      ...this.members.map(({ process: one }) => one),
      ...this.coordinators.map(({ process: one }) => one),
      ...this.nats,
    ];
    await Promise.all(all.map((one) => one.kill()));
    await this.postgres.kill('SIGINT');
    await Promise.all([...this.members.map(({ proxy }) => proxy), ...this.natsProxies].map((p) => p.stop()));
    if (keepLogs) console.error(`logs: ${join(this.#root, 'log')}`);
    else rmSync(this.#root, { recursive: true, force: true });
  }

  /** PostgreSQL again after SIGKILL: the file that names its process is stale then. */
  async startPostgres(): Promise<void> {
    removeStalePidFile(join(this.#root, 'postgres'));
    await this.postgres.start();
  }
}

async function natsServers(
  count: number,
  users: Parameters<typeof natsServerConfig>[0]['users'],
  root: string,
  log: (name: string) => string,
): Promise<{ nats: ChaosProcess[]; natsProxies: TcpProxy[] }> {
  const ports: number[] = [];
  const routes: number[] = [];
  for (let i = 0; i < count; i++) {
    ports.push(await freePort());
    routes.push(await freePort());
  }
  const natsProxies: TcpProxy[] = [];
  const nats: ChaosProcess[] = [];
  for (const [i, port] of ports.entries()) {
    const storeDir = join(root, `nats-${i}`);
    mkdirSync(storeDir);
    const config = natsServerConfig({
      name: `nats-${i + 1}`,
      host: '127.0.0.1',
      port,
      storeDir,
      pidFile: join(root, `nats-${i}.pid`),
      storeBytesMax: 2 ** 30,
      syncAlways: false,
      users,
    });
    // Clients come through the proxies alone: without `no_advertise` they would learn the servers' own ports.
    const cluster = {
      name: CLUSTER,
      listen: `127.0.0.1:${routes[i]}`,
      no_advertise: true,
      routes: routes.filter((_, n) => n !== i).map((route) => `nats-route://127.0.0.1:${route}`),
    };
    const path = join(root, `nats-${i}.conf`);
    writeFileSync(path, count > 1 ? `${config}cluster: ${JSON.stringify(cluster)}\n` : config);
    nats.push(
      new ChaosProcess({
        name: `nats-${i + 1}`,
        command: findNatsServer(),
        args: ['--config', path],
        log: log(`nats-${i + 1}`),
        ready: () => waitForNats('127.0.0.1', port, READY_MS),
      }),
    );
    natsProxies.push(await TcpProxy.start(await freePort(), port));
  }
  return { nats, natsProxies };
}

interface MemberSetup {
  root: string;
  file: (name: string, text: string) => string;
  log: (name: string) => string;
  nkeyFile: (name: string) => string;
  natsUrl: string;
  authority: Signer;
}

async function memberServices(keys: readonly Signer[], setup: MemberSetup): Promise<ChaosMember[]> {
  const { root, file, log, nkeyFile, natsUrl, authority } = setup;
  const members: ChaosMember[] = [];
  for (const [i, { pubkey, secretKey }] of keys.entries()) {
    const port = await freePort();
    const proxy = await TcpProxy.start(await freePort(), port);
    const url = `ws://127.0.0.1:${proxy.port}`;
    const dir = join(root, `member-${i + 1}`);
    members.push({
      port,
      proxy,
      url,
      id: pubkey,
      dir,
      get reachable() {
        return proxy.isOpen;
      },
      process: service('relay', `member-${i + 1}`, log, port, {
        COVEY_MEMBER_KEY_FILE: file(`member-${i + 1}.key`, secretKey),
        COVEY_MEMBER_DIR: dir,
        COVEY_PUBLIC_URL: url,
        COVEY_ROOTS: authority.pubkey,
        COVEY_VERIFY_THREADS: '1',
        NATS_URL: natsUrl,
        NATS_NKEY_FILE: nkeyFile(pubkey),
      }),
    });
  }
  return members;
}

function service(
  folder: string,
  name: string,
  log: (name: string) => string,
  port: number,
  env: Record<string, string>,
): ChaosProcess {
  return new ChaosProcess({
    name,
    command: process.execPath,
    args: ['--disable-warning=ExperimentalWarning', mainOf(folder)],
    options: {
      env: {
        ...process.env,
        COVEY_PROFILE: 'local',
        COVEY_CLUSTER: CLUSTER,
        COVEY_LISTEN: `127.0.0.1:${port}`,
        COVEY_LOG: process.env['COVEY_LOG'] || 'info',
        ...env,
      },
    },
    log: log(name),
    ready: () => waitFor(() => answers(port), `${name} at port ${port}`, READY_MS),
  });
}

async function answers(port: number): Promise<boolean> {
  try {
    return (await fetch(`http://127.0.0.1:${port}/healthz`)).ok;
  } catch {
    return false;
  }
}

/** The value of a metric, summed over its labels. */
async function metric(port: number, name: string): Promise<number> {
  const answer = await fetch(`http://127.0.0.1:${port}/metrics`, { signal: AbortSignal.timeout(2000) });
  return (await answer.text())
    .split('\n')
    .filter((line) => line.startsWith(`${name} `) || line.startsWith(`${name}{`))
    .reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
}
