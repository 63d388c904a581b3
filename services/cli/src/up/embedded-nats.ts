import { mkdirSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type NatsServerSettings, natsServerConfig, natsUsersConfig } from '@covey/nats';

/** Beside the configuration: the coordinator keeps it up to date with who is a member. */
export const NATS_USERS_FILE = 'users.conf';

/** The NATS server did not come up. */
export class EmbeddedNatsError extends Error {
  override name = 'EmbeddedNatsError';
}

/** Writes the configuration (no secrets are in it: users are public keys) and gives the server's arguments. */
export function writeNatsConfig(path: string, settings: NatsServerSettings): string[] {
  mkdirSync(dirname(path), { recursive: true });
  mkdirSync(settings.storeDir, { recursive: true, mode: 0o700 });
  if (settings.usersFile)
    writeFileSync(join(dirname(path), settings.usersFile), natsUsersConfig(settings.users), { mode: 0o600 });
  writeFileSync(path, natsServerConfig(settings), { mode: 0o600 });
  return ['--config', path];
}

const RETRY_MS = 20;
const GREETING_BYTES_MAX = 8_192;

/** Waits for a NATS server with JetStream at host:port. @throws EmbeddedNatsError after `timeoutMs`. */
export async function waitForNats(
  host: string,
  port: number,
  timeoutMs: number,
  signal?: AbortSignal,
): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const info = await greeting(host, port).catch(() => undefined);
    if (info?.jetstream) return;
    if (signal?.aborted || performance.now() > deadline)
      throw new EmbeddedNatsError(
        info
          ? `the NATS server at ${host}:${port} has no JetStream`
          : `no NATS server answers at ${host}:${port}`,
      );
    await sleep(RETRY_MS);
  }
}

/** What a NATS server says first: `INFO {…}`. */
function greeting(host: string, port: number): Promise<{ jetstream?: boolean }> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, timeout: 2_000 });
    let text = '';
    socket.setEncoding('utf8');
    socket.on('data', (chunk: string) => {
      text += chunk;
      const line = /^INFO (\{.*\})\s*\r\n/.exec(text)?.[1];
      if (!line && text.length < GREETING_BYTES_MAX) return;
      socket.destroy();
      if (line) resolve(JSON.parse(line));
      else reject(new EmbeddedNatsError('that is no NATS server'));
    });
    socket.on('timeout', () => socket.destroy(new EmbeddedNatsError('no greeting')));
    socket.on('error', reject);
    socket.on('close', () => reject(new EmbeddedNatsError('closed')));
  });
}
