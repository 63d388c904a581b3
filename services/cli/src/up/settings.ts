import { accessSync, constants } from 'node:fs';
import { ConfigError, EnvReader, homeRoot } from '@covey/config';
import { subjectsOf } from '@covey/protocol';

export const MEMBERS = 5;

const PORT_DEFAULT = 4600;
const OFFSET_COORDINATOR = 10;
const OFFSET_NATS = 20;
const OFFSET_POSTGRES = 21;

export interface Ports {
  /** API and dashboard. */
  api: number;
  /** Of member `n`, counted from 1. */
  member(n: number): number;
  /** Health and metrics of the coordinator. */
  coordinator: number;
  nats: number;
  postgres: number;
}

export function portsFrom(base: number): Ports {
  return {
    api: base,
    member: (n) => base + n,
    coordinator: base + OFFSET_COORDINATOR,
    nats: base + OFFSET_NATS,
    postgres: base + OFFSET_POSTGRES,
  };
}

export interface UpSettings {
  home: string;
  cluster: string;
  ports: Ports;
  /** Real servers instead of embedded ones. */
  databaseUrl: string | undefined;
  natsUrl: string | undefined;
  natsNkeyFile: string | undefined;
  natsCredsFile: string | undefined;
  redisUrl: string | undefined;
  /** The crawl that fills an empty graph. */
  snapshot: 'nostr-social-graph' | undefined;
  json: boolean;
}

type Env = Readonly<Record<string, string | undefined>>;

/** Settings that only the services use: a slip in one is told before anything starts. @throws ConfigError */
function checkPassedOn(read: EnvReader): void {
  read.choice('COVEY_WRITES', ['forward', 'redirect', 'observe'], 'forward');
  read.choice('COVEY_HUBS', ['adaptive', 'together', 'spread'], 'adaptive');
  read.choice('COVEY_EFFORT', ['quick', 'normal', 'long'], 'quick');
  read.integer('COVEY_COPIES', { min: 1, max: MEMBERS, fallback: 3 });
  read.number('COVEY_EXTRA_COPIES', { min: 0, max: 4, fallback: 0.1 });
  read.integer('COVEY_SEED', { min: 0, max: 0xffffffff, fallback: 1 });
  read.integer('COVEY_PLACE_EVERY_S', { min: 10, max: 86_400, fallback: 3600 });
}

/** @throws ConfigError, InvalidClusterNameError */
export function readUpSettings(env: Env, flags: { json?: boolean; empty?: boolean }): UpSettings {
  const read = new EnvReader(env);
  const base = read.integer('COVEY_PORT', { min: 1, max: 65_535 - OFFSET_POSTGRES, fallback: PORT_DEFAULT });
  const cluster = read.string('COVEY_CLUSTER', 'local');
  subjectsOf(cluster); // throws on a bad name
  const natsUrl = read.optional('NATS_URL');
  for (const server of natsUrl?.split(',') ?? [])
    new EnvReader({ NATS_URL: server }).url('NATS_URL', ['nats', 'tls']);
  checkPassedOn(read);
  return {
    home: homeRoot(env),
    cluster,
    ports: portsFrom(base),
    databaseUrl: read.optional('DATABASE_URL') && read.url('DATABASE_URL', ['postgres', 'postgresql']),
    natsUrl,
    natsNkeyFile: readableFile(read, 'NATS_NKEY_FILE'),
    natsCredsFile: readableFile(read, 'NATS_CREDS_FILE'),
    redisUrl: read.optional('REDIS_URL') && read.url('REDIS_URL', ['redis', 'rediss']),
    snapshot: flags.empty ? undefined : 'nostr-social-graph',
    json: flags.json ?? false,
  };
}

function readableFile(read: EnvReader, name: string): string | undefined {
  const path = read.optional(name);
  try {
    if (path) accessSync(path, constants.R_OK);
  } catch (cause) {
    throw new ConfigError(`${name} names ${path}, which can't be read`, { cause });
  }
  return path;
}
