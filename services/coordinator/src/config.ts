import { join } from 'node:path';
import { ConfigError, EnvReader } from '@covey/config';
import { isHex64, isPrivateRelayUrl, type NostrEvent, normalizeRelayUrl, publicKeyOf } from '@covey/nostr';
import type { TableMember } from '@covey/table';
import type { PlacementOptions } from './epochs/inputs.ts';

export interface CoordinatorKeys {
  secretKey: string;
  pubkey: string;
  /** By the root key. */
  certificate: NostrEvent;
}

export interface CoordinatorConfig {
  cluster: string;
  profile: 'local' | 'public';
  databaseUrl: string;
  redisUrl: string | undefined;
  nats: { url: string; nkeyFile: string | undefined; credsFile: string | undefined };
  /** Copies that JetStream keeps of what is published: 1 on a single server, 3 in a NATS cluster. */
  natsReplicas: number;
  keys: CoordinatorKeys;
  members: TableMember[];
  listen: { host: string; port: number };
  /** A crawl to begin with when the graph is empty. */
  snapshot: 'nostr-social-graph' | undefined;
  placement: PlacementOptions;
  /** Where `covey ingest -` spools standard input; removed from there once read. */
  spoolDir: string;
  /** Milliseconds between looks at whether the graph has changed. */
  placeEveryMs: number;
}

/** @throws ConfigError */
export function readConfig(env: Readonly<Record<string, string | undefined>>): CoordinatorConfig {
  const read = new EnvReader(env);
  const profile = read.choice('COVEY_PROFILE', ['local', 'public'], 'public');
  const secretKey = read.secretKeyFile('COVEY_COORDINATOR_KEY_FILE');
  return {
    cluster: read.string('COVEY_CLUSTER', 'local'),
    profile,
    databaseUrl: read.url('DATABASE_URL', ['postgres', 'postgresql']),
    redisUrl: read.optional('REDIS_URL') && read.url('REDIS_URL', ['redis', 'rediss']),
    nats: {
      url: read.string('NATS_URL'),
      nkeyFile: read.optional('NATS_NKEY_FILE'),
      credsFile: read.optional('NATS_CREDS_FILE'),
    },
    natsReplicas: read.integer('COVEY_NATS_REPLICAS', { min: 1, max: 5, fallback: 1 }),
    keys: {
      secretKey,
      pubkey: publicKeyOf(secretKey),
      certificate: read.jsonFile('COVEY_CERTIFICATE_FILE') as NostrEvent,
    },
    members: readMembers(read.jsonFile('COVEY_MEMBERS_FILE'), profile),
    listen: read.listen('COVEY_LISTEN', '4610'),
    snapshot: read.optional('COVEY_SNAPSHOT')
      ? read.choice('COVEY_SNAPSHOT', ['nostr-social-graph'])
      : undefined,
    placement: {
      copies: read.integer('COVEY_COPIES', { min: 1, max: 16, fallback: 3 }),
      extraCopies: read.number('COVEY_EXTRA_COPIES', { min: 0, max: 4, fallback: 0.1 }),
      hubs: read.choice('COVEY_HUBS', ['adaptive', 'together', 'spread'], 'adaptive'),
      seed: read.integer('COVEY_SEED', { min: 0, max: 0xffffffff, fallback: 1 }),
      // People wait for a local cluster; a public one places on a schedule.
      effort: read.choice(
        'COVEY_EFFORT',
        ['quick', 'normal', 'long'],
        profile === 'local' ? 'quick' : 'normal',
      ),
      trustSeeds: read.pubkeyList('COVEY_TRUST_SEEDS'),
      trustAccounts: read.integer('COVEY_TRUST_ACCOUNTS', { min: 1, max: 1e9, fallback: 100_000 }),
    },
    spoolDir: join(read.string('COVEY_HOME', '.covey'), 'ingest'),
    placeEveryMs: read.integer('COVEY_PLACE_EVERY_S', { min: 10, max: 86_400, fallback: 3600 }) * 1000,
  };
}

/** The members file: a list of members. @throws ConfigError naming the member and the field. */
export function readMembers(json: unknown, profile: 'local' | 'public'): TableMember[] {
  if (!Array.isArray(json) || json.length === 0)
    throw new ConfigError(
      'the members file must be a JSON list of members: [{"id","url","name","operator","capacity","state"}]',
    );
  const members = json.map((entry, i) => readMember(entry, `member ${i + 1}`, profile));
  for (const field of ['id', 'url'] as const)
    if (new Set(members.map((member) => member[field])).size < members.length)
      throw new ConfigError(`two members have the same ${field}`);
  return members;
}

function readMember(
  entry: Partial<TableMember> | null,
  what: string,
  profile: 'local' | 'public',
): TableMember {
  if (!isHex64(entry?.id)) throw new ConfigError(`${what}: id must be its public key, 64 hex digits`);
  const id = entry.id;
  let url: string;
  try {
    url = normalizeRelayUrl(entry.url ?? '');
  } catch (cause) {
    throw new ConfigError(`${what}: ${(cause as Error).message}`, { cause });
  }
  if (profile === 'public' && (isPrivateRelayUrl(url) || !url.startsWith('wss:')))
    throw new ConfigError(
      `${what}: ${url} can't be opened from the internet; give its public wss:// URL, or set COVEY_PROFILE=local`,
    );
  const capacity = { copies: 1, connections: 1, reads: 1, ...entry.capacity };
  for (const [name, value] of Object.entries(capacity))
    if (!(value >= 0 && value <= 1e6))
      throw new ConfigError(`${what}: capacity ${name} must be a number from 0 to 1,000,000`);
  const state = entry.state ?? 'active';
  if (state !== 'active' && state !== 'draining')
    throw new ConfigError(`${what}: state must be active or draining`);
  const name = entry.name ?? new URL(url).host;
  return { id, url, name, operator: entry.operator ?? id, capacity, state };
}
