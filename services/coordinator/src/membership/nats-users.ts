import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { type NatsUser, natsUsersConfig } from '@covey/nats';
import { apiPermissions, coordinatorPermissions, memberPermissions } from '@covey/protocol';

export interface NatsUsersConfig {
  /** The file that the server's configuration includes. */
  file: string;
  /** Where the server keeps its process id; absent: somebody else reloads it. */
  pidFile: string | undefined;
  /** Public nkeys. */
  coordinators: readonly string[];
  apis: readonly string[];
}

/**
 * The users of a NATS server, kept up to date with who is a member: each may publish under its own key alone. The file is
 * replaced as a whole, then the server is told to read it (SIGHUP); connections of users that stay are not touched.
 */
export class NatsUsers {
  readonly #config: NatsUsersConfig;
  readonly #cluster: string;

  constructor(config: NatsUsersConfig, cluster: string) {
    this.#config = config;
    this.#cluster = cluster;
  }

  /** @returns whether anything changed. @throws when the file can't be written, or an nkey is none. */
  update(members: readonly { id: string; nkey?: string | undefined }[]): boolean {
    const { file, coordinators, apis } = this.#config;
    const users: NatsUser[] = [
      ...coordinators.map((nkey) => ({ nkey, permissions: coordinatorPermissions(this.#cluster) })),
      ...apis.map((nkey) => ({ nkey, permissions: apiPermissions(this.#cluster) })),
      ...members.flatMap(({ id, nkey }) =>
        nkey ? [{ nkey, permissions: memberPermissions(this.#cluster, id) }] : [],
      ),
    ];
    const text = natsUsersConfig([...new Map(users.map((user) => [user.nkey, user])).values()]);
    if (existsSync(file) && readFileSync(file, 'utf8') === text) return false;
    const half = `${file}.half`;
    writeFileSync(half, text, { mode: 0o600 });
    renameSync(half, file);
    this.#reload();
    return true;
  }

  #reload(): void {
    const { pidFile } = this.#config;
    if (!pidFile || !existsSync(pidFile)) return;
    const pid = Number(readFileSync(pidFile, 'utf8').trim());
    // A pid that a dead server left behind may be anybody's now.
    if (Number.isInteger(pid) && pid > 1 && commandOf(pid).includes('nats-server'))
      process.kill(pid, 'SIGHUP');
  }
}

function commandOf(pid: number): string {
  try {
    return existsSync('/proc/self')
      ? readFileSync(`/proc/${pid}/cmdline`, 'utf8')
      : execFileSync('ps', ['-p', String(pid), '-o', 'command='], { encoding: 'utf8' });
  } catch {
    return '';
  }
}
