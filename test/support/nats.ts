import { randomBytes } from 'node:crypto';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { connectNats, createNkey } from '@covey/nats';
import {
  apiPermissions,
  coordinatorPermissions,
  memberPermissions,
  type NatsPermissions,
} from '@covey/protocol';
import { jetstreamManager } from '@nats-io/jetstream';
import { waitForNats, writeNatsConfig } from '../../services/cli/src/up/embedded-nats.ts';
import { findNatsServer } from '../../services/cli/src/up/nats-binary.ts';
import { NATS_STEPS, STAGE_NATS } from '../../services/cli/src/up/reaper-protocol.ts';
import { NativeServer, onFreePort, temporaryDirectory } from './native-server.ts';

const START_MS_MAX = 20_000;

export interface TestNats {
  url: string;
  /** Name of this suite's own cluster. */
  cluster: string;
  /** File with the nkey seed of 'coordinator', 'api' or a member (its public key, hex). */
  nkeyFile(user: string): string;
  /** Stops the server and starts it again, on the same port with the same streams. Does nothing to a server that ran before. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

/**
 * A NATS server with JetStream: the one that NATS_URL names (with NATS_NKEY_FILE or NATS_CREDS_FILE, a user who may do
 * everything), else an embedded one with the users and permissions of a cluster.
 * @param members public keys (hex) of the members that may connect.
 */
export async function startNats({
  cluster = `test-${randomBytes(6).toString('hex')}`,
  members = [],
}: {
  cluster?: string;
  members?: readonly string[];
} = {}): Promise<TestNats> {
  const real = process.env['NATS_URL'];
  return real ? clusterIn(real, cluster) : await embedded(cluster, members);
}

function clusterIn(url: string, cluster: string): TestNats {
  const directory = temporaryDirectory('nats');
  const seed = join(directory, 'user.nk');
  const given = process.env['NATS_NKEY_FILE'];
  // A server without authentication never looks at the key.
  writeFileSync(seed, given ? readFileSync(given) : createNkey().seed, { mode: 0o600 });
  const stop = async () => {
    const credsFile = process.env['NATS_CREDS_FILE'];
    const connection = await connectNats({
      url,
      user: 'coordinator',
      ...(credsFile ? { credsFile } : { nkeyFile: seed }),
    });
    const manager = await jetstreamManager(connection);
    for await (const { config } of manager.streams.list())
      if (config.name.includes(`covey-${cluster}-`)) await manager.streams.delete(config.name);
    await connection.close();
    rmSync(directory, { recursive: true, force: true });
  };
  return { url, cluster, nkeyFile: () => seed, restart: async () => {}, stop };
}

async function embedded(cluster: string, members: readonly string[]): Promise<TestNats> {
  const directory = temporaryDirectory('nats');
  const permissions: Record<string, NatsPermissions> = {
    coordinator: coordinatorPermissions(cluster),
    api: apiPermissions(cluster),
    ...Object.fromEntries(members.map((member) => [member, memberPermissions(cluster, member)])),
  };
  const nkeyFile = (user: string) => {
    if (!(user in permissions)) throw new Error(`startNats was not told of a member ${user}`);
    return join(directory, `${user}.nk`);
  };
  const users = Object.entries(permissions).map(([user, permission]) => {
    const { seed, nkey } = createNkey();
    writeFileSync(nkeyFile(user), seed, { mode: 0o600 });
    return { nkey, permissions: permission };
  });
  const start = async (port: number) => {
    const args = writeNatsConfig(join(directory, 'nats.conf'), {
      name: cluster,
      host: '127.0.0.1',
      port,
      storeDir: join(directory, 'store'),
      pidFile: join(directory, 'nats.pid'),
      storeBytesMax: 2 ** 30,
      syncAlways: false,
      users,
    });
    const log = join(directory, 'log');
    const server = new NativeServer({
      command: findNatsServer(),
      args,
      log,
      stage: STAGE_NATS,
      steps: NATS_STEPS,
    });
    await server.untilReady((signal) => waitForNats('127.0.0.1', port, START_MS_MAX, signal));
    return { server, port };
  };
  let running = await onFreePort(start);
  const restart = async () => {
    await running.server.stop('SIGTERM');
    running = await start(running.port);
  };
  const stop = async () => {
    await running.server.stop('SIGTERM');
    rmSync(directory, { recursive: true, force: true });
  };
  return { url: `nats://127.0.0.1:${running.port}`, cluster, nkeyFile, restart, stop };
}
