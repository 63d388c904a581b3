import { join } from 'node:path';
import { type HomePaths, readSecretFile } from '@covey/config';
import { apiPermissions, coordinatorPermissions, memberPermissions } from '@covey/protocol';
import {
  apiSpec,
  apiUrl,
  coordinatorSpec,
  memberSpecs,
  natsSpec,
  postgresSpec,
  type ServiceSetup,
} from './child-specs.ts';
import { NATS_USERS_FILE, writeNatsConfig } from './embedded-nats.ts';
import { createDatabase, type EmbeddedPostgres, initPostgres, postgresUrl } from './embedded-postgres.ts';
import type { EmbeddedServers } from './embedded-servers.ts';
import type { Identity } from './identity.ts';
import { preparePostgresPlace } from './postgres-place.ts';
import { removeStalePidFile } from './process-list.ts';
import type { Progress } from './progress.ts';
import { checkNatsServer, checkPostgresServer, checkRedisServer, withoutPassword } from './real-servers.ts';
import type { UpSettings } from './settings.ts';
import type { Supervisor } from './supervisor.ts';

const DATABASE = 'covey';
const NATS_STORE_BYTES_MAX = 2 * 2 ** 30;

export interface LocalClusterOptions {
  settings: UpSettings;
  paths: HomePaths;
  identity: Identity;
  embedded: EmbeddedServers;
  supervisor: Supervisor;
  progress: Progress;
}

/** A whole cluster on one machine: which processes, told what, in which order. */
export class LocalCluster {
  readonly #options: LocalClusterOptions;

  constructor(options: LocalClusterOptions) {
    this.#options = options;
  }

  /** Servers first, then who needs them. The progress of the coordinator goes on until there is an epoch. @returns the URLs of the servers. @throws UpError, ChildFailedError */
  async start(): Promise<{ databaseUrl: string; natsUrl: string }> {
    const { settings, paths, identity, supervisor, progress } = this.#options;
    const [databaseUrl, natsUrl] = await Promise.all([this.#database(), this.#nats(), this.#redis()]);
    const setup: ServiceSetup = { settings, paths, identity, databaseUrl, natsUrl };
    const members = memberSpecs(setup);
    const ports =
      members.length > 0 ? `${members.length} at ${identity.ownMembers[0]!.member.url} …` : 'none of its own';
    // None of them needs another to get ready; the coordinator, which takes longest, is first.
    progress.begin('coordinator');
    await Promise.all([
      supervisor.start(coordinatorSpec(setup)),
      this.#step('members', ports, () => Promise.all(members.map((spec) => supervisor.start(spec)))),
      this.#step('api', apiUrl(settings), () => supervisor.start(apiSpec(setup))),
    ]);
    return { databaseUrl, natsUrl };
  }

  /** Writers before the servers that they write to. */
  async stop(): Promise<void> {
    await this.#options.supervisor.stop([
      (name) => name === 'api',
      (name) => name.startsWith('member-'),
      (name) => name === 'coordinator', // its BullMQ workers close while PostgreSQL and Redis are there
      (name) => name === 'nats',
      (name) => name === 'postgres',
    ]);
  }

  async #database(): Promise<string> {
    const { settings, paths, embedded, supervisor } = this.#options;
    if (settings.databaseUrl) {
      const url = settings.databaseUrl;
      await this.#step('database', withoutPassword(url), () => checkPostgresServer(url));
      return url;
    }
    const { place: found, binaries, version } = embedded.postgres!;
    const place = preparePostgresPlace(paths, found);
    const server: EmbeddedPostgres = {
      binaries: binaries(place),
      dataDir: place.dataDir,
      user: place.user,
      password: readSecretFile(paths.postgresPasswordFile).trim(),
      port: settings.ports.postgres,
      durable: true,
    };
    const where = place.user ? `, as user ${place.user.uid}` : '';
    await this.#step('PostgreSQL', `${version}, port ${server.port}${where}`, async () => {
      if (!place.initialised) await initPostgres(server);
      removeStalePidFile(place.dataDir);
      await supervisor.start(postgresSpec(server));
      await createDatabase(postgresUrl(server, 'postgres'), DATABASE);
    });
    return postgresUrl(server, DATABASE);
  }

  async #nats(): Promise<string> {
    const { settings, paths, identity, embedded, supervisor } = this.#options;
    if (settings.natsUrl) {
      const url = settings.natsUrl;
      await this.#step('NATS', withoutPassword(url), () => checkNatsServer(url));
      return url;
    }
    const { binary, version } = embedded.nats!;
    const port = settings.ports.nats;
    const args = writeNatsConfig(join(paths.natsDir, 'nats.conf'), {
      name: `covey-${settings.cluster}`,
      host: '127.0.0.1',
      port,
      storeDir: join(paths.natsDir, 'store'),
      pidFile: join(paths.natsDir, 'nats.pid'),
      storeBytesMax: NATS_STORE_BYTES_MAX,
      syncAlways: false,
      usersFile: NATS_USERS_FILE,
      users: [...identity.nkeys].map(([user, nkey]) => ({
        nkey,
        permissions: permissionsOf(settings.cluster, user),
      })),
    });
    await this.#step('NATS', `${version}, port ${port}`, () =>
      supervisor.start(natsSpec(binary, args, port)),
    );
    return `nats://127.0.0.1:${port}`;
  }

  async #redis(): Promise<void> {
    const url = this.#options.settings.redisUrl;
    if (url) await this.#step('Redis', withoutPassword(url), () => checkRedisServer(url));
  }

  async #step(name: string, text: string, action: () => Promise<unknown>): Promise<void> {
    const { progress } = this.#options;
    progress.begin(name);
    await action();
    progress.done(name, text);
  }
}

function permissionsOf(cluster: string, user: string) {
  if (user === 'coordinator') return coordinatorPermissions(cluster);
  return user === 'api' ? apiPermissions(cluster) : memberPermissions(cluster, user);
}
