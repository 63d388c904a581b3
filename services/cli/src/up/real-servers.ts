import { connect } from 'node:net';
import { connectPostgres } from '@covey/postgres';
import { waitForNats } from './embedded-nats.ts';
import { UP_EXIT, UpError } from './up-error.ts';

const POSTGRES_MAJOR_MIN = 15;
const CONNECT_MS_MAX = 5_000;
const PORTS: Record<string, number> = { 'nats:': 4222, 'tls:': 4222, 'redis:': 6379, 'rediss:': 6379 };

/** A URL as it may be shown: without password. */
export function withoutPassword(url: string): string {
  return url
    .split(',')
    .map((part) => {
      const parsed = new URL(part.trim());
      parsed.password = '';
      parsed.search = '';
      return parsed.href;
    })
    .join(',');
}

/** @throws UpError when DATABASE_URL leads to no PostgreSQL that can be used. @returns its version. */
export async function checkPostgresServer(url: string): Promise<string> {
  const sql = connectPostgres(url, { application: 'covey up', connections: 1 });
  try {
    const [row] =
      await sql`select current_setting('server_version') as version, current_setting('server_version_num')::int / 10000 as major`;
    if (row!['major'] < POSTGRES_MAJOR_MIN)
      throw new UpError(
        UP_EXIT.unavailable,
        `${withoutPassword(url)} is PostgreSQL ${row!['version']}; Covey needs ${POSTGRES_MAJOR_MIN} or newer.`,
      );
    return row!['version'];
  } catch (cause) {
    if (cause instanceof UpError) throw cause;
    throw unreachable('DATABASE_URL', url, 'an embedded PostgreSQL', cause);
  } finally {
    await sql.end({ timeout: 1 });
  }
}

/** @throws UpError when no server of NATS_URL answers with JetStream. */
export async function checkNatsServer(urls: string): Promise<void> {
  const errors: unknown[] = [];
  for (const url of urls.split(',')) {
    const { hostname, port, protocol } = new URL(url.trim());
    try {
      return await waitForNats(
        hostname.replace(/^\[|\]$/g, ''),
        Number(port) || PORTS[protocol]!,
        CONNECT_MS_MAX,
      );
    } catch (error) {
      errors.push(error);
    }
  }
  throw unreachable('NATS_URL', urls, 'an embedded NATS server', errors[0]);
}

/** @throws UpError when nothing listens where REDIS_URL says. */
export async function checkRedisServer(url: string): Promise<void> {
  const { hostname, port, protocol } = new URL(url);
  try {
    await new Promise<void>((resolve, reject) => {
      const socket = connect({
        host: hostname.replace(/^\[|\]$/g, ''),
        port: Number(port) || PORTS[protocol]!,
      });
      socket.setTimeout(CONNECT_MS_MAX, () => socket.destroy(new Error('no answer')));
      socket.on('error', reject);
      socket.on('connect', () => {
        socket.destroy();
        resolve();
      });
    });
  } catch (cause) {
    throw unreachable('REDIS_URL', url, 'BullMQ on PostgreSQL', cause);
  }
}

function unreachable(variable: string, url: string, instead: string, cause: unknown): UpError {
  const { message, code } = cause as Error & { code?: string };
  return new UpError(
    UP_EXIT.unavailable,
    `${variable} is set, and the server at ${withoutPassword(url)} can't be used: ${message || code}.\nNext: start that server, correct ${variable}, or unset it to use ${instead}`,
    { cause },
  );
}
