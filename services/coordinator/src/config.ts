import { hostname } from 'node:os';
import { join } from 'node:path';
import { ConfigError, EnvReader, readSecretFile } from '@covey/config';
import { DEFAULT_MOVE_POLICY, type MovePolicy } from '@covey/moves';
import { publicNkey } from '@covey/nats';
import { isHex64, isPrivateRelayUrl, type NostrEvent, normalizeRelayUrl, publicKeyOf } from '@covey/nostr';
import type { TableMember } from '@covey/table';
import type { PlacementOptions } from './epochs/inputs.ts';
import { ADMIT_RULES, type AdmissionRule } from './membership/admission.ts';
import type { NatsUsersConfig } from './membership/nats-users.ts';

export interface CoordinatorKeys {
  secretKey: string;
  pubkey: string;
  /** By the root key. */
  certificate: NostrEvent;
}

/** How fast accounts go from member to member. */
export interface MoveSettings {
  policy: MovePolicy;
  bytesPerMemberMax: number;
  stepMs: number;
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
  /** How this coordinator is called among those on its database. */
  name: string;
  /** Members to begin with, and to keep up to date from a file. */
  members: FileMember[];
  /** Public keys (hex) that may order everything. */
  admins: string[];
  admission: AdmissionRule;
  /** The users of a NATS server to keep up to date. */
  natsUsers: NatsUsersConfig | undefined;
  listen: { host: string; port: number };
  /** A crawl to begin with when the graph is empty. */
  snapshot: 'nostr-social-graph' | undefined;
  placement: PlacementOptions;
  moves: MoveSettings;
  /** Where `covey ingest -` spools standard input; removed from there once read. */
  spoolDir: string;
  /** Whether epochs of other coordinators are computed again here, and signed. */
  cosign: boolean;
  /** Milliseconds between rounds of probes; 0: members are not probed. */
  probeEveryMs: number;
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
    name: read.string('COVEY_NAME', `${hostname()}-${process.pid}`).slice(0, 100),
    members: read.optional('COVEY_MEMBERS_FILE')
      ? readMembers(read.jsonFile('COVEY_MEMBERS_FILE'), profile)
      : [],
    admins: read.pubkeys('COVEY_ADMINS', ''),
    admission: {
      rule: read.choice('COVEY_ADMIT', ADMIT_RULES, 'manual'),
      allowed: read.pubkeys('COVEY_ADMIT_LIST', ''),
      membersMax: read.integer('COVEY_MEMBERS_MAX', { min: 1, max: 10_000, fallback: 256 }),
      capacityFactorMax: read.number('COVEY_CAPACITY_FACTOR', { min: 1, max: 1_000, fallback: 4 }),
    },
    natsUsers: readNatsUsers(read),
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
    moves: readMoves(read, profile),
    spoolDir: join(read.string('COVEY_HOME', '.covey'), 'ingest'),
    cosign: read.choice('COVEY_COSIGN', ['on', 'off'], 'off') === 'on',
    probeEveryMs: read.integer('COVEY_PROBE_EVERY_S', { min: 0, max: 86_400, fallback: 900 }) * 1000,
    placeEveryMs: read.integer('COVEY_PLACE_EVERY_S', { min: 10, max: 86_400, fallback: 3600 }) * 1000,
  };
}

/** A member as the members file has it. */
export type FileMember = TableMember & { nkey?: string | undefined };

/** @throws ConfigError */
function readNatsUsers(read: EnvReader): NatsUsersConfig | undefined {
  const file = read.optional('COVEY_NATS_USERS_FILE');
  if (!file) return undefined;
  const nkeys = (name: string, fallback: string) =>
    read
      .string(name, fallback)
      .split(',')
      .filter((part) => part.trim())
      .map((part) => {
        try {
          return publicNkey(part);
        } catch (cause) {
          throw new ConfigError(`${name}: ${(cause as Error).message}`, { cause });
        }
      });
  const own = read.optional('NATS_NKEY_FILE');
  const coordinators = nkeys('COVEY_NATS_COORDINATORS', own ? publicNkey(readSecretFile(own)) : '');
  if (coordinators.length === 0)
    throw new ConfigError(
      'COVEY_NATS_USERS_FILE needs NATS_NKEY_FILE, or COVEY_NATS_COORDINATORS with the public nkeys of all coordinators: this one would lock itself out',
    );
  return {
    file,
    pidFile: read.optional('COVEY_NATS_PID_FILE'),
    coordinators,
    apis: nkeys('COVEY_NATS_APIS', ''),
  };
}

function readMoves(read: EnvReader, profile: 'local' | 'public'): MoveSettings {
  const local = profile === 'local';
  const { accountsPerMemberMax: accounts, hubWaitMs, planTtlMs } = DEFAULT_MOVE_POLICY;
  return {
    policy: {
      ...DEFAULT_MOVE_POLICY,
      accountsPerMemberMax: read.integer('COVEY_MOVES_ACCOUNTS_MAX', {
        min: 1,
        max: 1e7,
        fallback: accounts,
      }),
      hubWaitMs:
        1000 *
        read.integer('COVEY_MOVES_HUB_WAIT_S', { min: 0, max: 7 * 86_400, fallback: hubWaitMs / 1000 }),
      planTtlMs:
        1000 *
        read.integer('COVEY_PLAN_TTL_S', { min: 0, max: 86_400, fallback: local ? 10 : planTtlMs / 1000 }),
    },
    bytesPerMemberMax: read.integer('COVEY_MOVES_BYTES_MAX', { min: 1, max: 2 ** 50, fallback: 2 ** 30 }),
    stepMs: read.integer('COVEY_MOVES_STEP_MS', { min: 10, max: 3_600_000, fallback: local ? 1000 : 5000 }),
  };
}

/** The members file: a list of members. @throws ConfigError naming the member and the field. */
export function readMembers(json: unknown, profile: 'local' | 'public'): FileMember[] {
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
  entry: Partial<FileMember> | null,
  what: string,
  profile: 'local' | 'public',
): FileMember {
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
  if (entry.nkey !== undefined && !/^U[A-Z2-7]{55}$/.test(entry.nkey))
    throw new ConfigError(`${what}: nkey must be the public nkey of its NATS user, U and 55 characters`);
  const nkey = entry.nkey ? { nkey: entry.nkey } : {};
  return { id, url, name, operator: entry.operator ?? id, capacity, state, ...nkey };
}
