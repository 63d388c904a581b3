import type { NatsPermissions } from '@covey/protocol';

/** One who may connect, known by a public nkey (`U…`); the seed stays with its owner. */
export interface NatsUser {
  nkey: string;
  permissions: NatsPermissions;
}

export interface NatsServerSettings {
  name: string;
  host: string;
  port: number;
  /** Where JetStream keeps its streams. */
  storeDir: string;
  pidFile: string;
  /** Bound of everything that JetStream may keep on disk. */
  storeBytesMax: number;
  /**
   * Flush every write before it is acknowledged. Without it a power failure can lose acknowledged writes; the crash of
   * the server alone can't. PostgreSQL is the authority for epochs, so a local cluster does without.
   */
  syncAlways: boolean;
  /** Nobody else may connect. */
  users: readonly NatsUser[];
  /** Name of a file beside the configuration that holds the users (`natsUsersConfig`), so that they can change alone. */
  usersFile?: string | undefined;
}

const PUBLIC_USER_NKEY = /^U[A-Z2-7]{55}$/;

export class InvalidNatsUserError extends Error {
  override name = 'InvalidNatsUserError';
}

/** The `authorization` block of a server's configuration file, for `include`. @throws InvalidNatsUserError */
export function natsUsersConfig(users: readonly NatsUser[]): string {
  for (const { nkey } of users)
    if (!PUBLIC_USER_NKEY.test(nkey))
      throw new InvalidNatsUserError(
        `"${nkey.slice(0, 4)}…" is no public nkey of a user (U and 55 characters)`,
      );
  const list = users.map(({ nkey, permissions: { publish, subscribe } }) => ({
    nkey,
    permissions: { publish, subscribe },
  }));
  return `authorization: ${JSON.stringify({ users: list }, null, 2)}\n`;
}

/** The configuration file of a nats-server (its own format, of which JSON is a part). @throws InvalidNatsUserError */
export function natsServerConfig(settings: NatsServerSettings): string {
  const { name, host, port, storeDir, pidFile, storeBytesMax, syncAlways, users, usersFile } = settings;
  const jetstream = {
    store_dir: storeDir,
    max_memory_store: 64 * 2 ** 20,
    max_file_store: storeBytesMax,
    ...(syncAlways ? { sync_interval: 'always' } : {}),
  };
  const config = {
    server_name: name,
    host,
    port,
    pid_file: pidFile,
    max_payload: 2 ** 20,
    max_connections: 1_024,
    write_deadline: '10s',
    lame_duck_duration: '30s',
    lame_duck_grace_period: '1s',
    jetstream,
  };
  const lines = Object.entries(config).map(([key, value]) => `${key}: ${JSON.stringify(value, null, 2)}\n`);
  return lines.join('') + (usersFile ? `include ./${usersFile}\n` : natsUsersConfig(users));
}
