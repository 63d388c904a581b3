import { join } from 'node:path';
import { ConfigError, EnvReader } from '@covey/config';

export interface ApiConfig {
  listen: { host: string; port: number };
  /** Folder for the cached table. */
  dir: string;
  cluster: string;
  /** Root public keys (hex) whose coordinators are trusted. */
  roots: string[];
  admin: boolean;
  nats: { url: string; nkeyFile: string | undefined; credsFile: string | undefined } | undefined;
  /** How many coordinators must have signed an epoch. */
  signaturesMin: number;
  databaseUrl: string | undefined;
  dashboardDir: string;
}

const DASHBOARD = join(import.meta.dirname, '..', '..', 'dashboard', 'dist');

/** @throws ConfigError naming the setting that is wrong. */
export function readApiConfig(variables: Readonly<Record<string, string | undefined>>): ApiConfig {
  const env = new EnvReader(variables);
  const listen = env.listen('COVEY_LISTEN', '127.0.0.1:4600');
  const admin = env.choice('COVEY_ADMIN', ['open', 'closed'], 'closed') === 'open';
  if (admin && !isLoopback(listen.host))
    throw new ConfigError(
      `COVEY_ADMIN=open shows who is in which community, so it is only allowed on loopback; COVEY_LISTEN is ${listen.host}. Listen on 127.0.0.1, or close it`,
    );
  const natsUrl = env.optional('NATS_URL');
  const roots = env.pubkeys('COVEY_ROOTS');
  if (roots.length === 0)
    throw new ConfigError('COVEY_ROOTS names no root key; give the npub or hex of each root to trust');
  return {
    listen,
    dir: env.string('COVEY_API_DIR', join(env.string('COVEY_HOME', '.covey'), 'api')),
    cluster: env.string('COVEY_CLUSTER', 'local'),
    roots,
    admin,
    nats: natsUrl
      ? { url: natsUrl, nkeyFile: env.optional('NATS_NKEY_FILE'), credsFile: env.optional('NATS_CREDS_FILE') }
      : undefined,
    signaturesMin: env.integer('COVEY_SIGNATURES_MIN', { min: 1, max: 32, fallback: 1 }),
    databaseUrl: env.optional('DATABASE_URL'),
    dashboardDir: env.string('COVEY_DASHBOARD_DIR', DASHBOARD),
  };
}

export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host);
}
