import { ConfigError, EnvReader } from '@covey/config';
import { WRITE_MODES, type WriteMode } from '@covey/enforcement';
import type { LivenessConfig } from '@covey/liveness';
import { normalizeRelayUrl } from '@covey/nostr';
import { VERIFIERS, type VerifierName } from '@covey/verifier';
import { type Limits, readLimits } from './limits.ts';
import type { MirrorConfig } from './mirror/mirror.ts';
import { readMirrorConfig } from './mirror/mirror-config.ts';
import type { OperatorWords } from './nip11.ts';
import { parseRetention, type RetentionRule } from './store/retention.ts';

export interface RelayConfig {
  /** Secret key (hex) of the member: its identity in the table, between members and in NIP-11's `self`. */
  secretKey: string;
  /** Folder of its own: store, and the cached table. */
  dir: string;
  /** `postgres://…`: where events are kept instead of the folder. */
  storeUrl?: string | undefined;
  listen: { host: string; port: number };
  /** The URL that clients and members open; `ws://host:port` when not given. */
  publicUrl: string | undefined;
  cluster: string;
  writes: WriteMode;
  /** `local`: other members may have private addresses. */
  profile: 'local' | 'public';
  apiUrl: string | undefined;
  name: string | undefined;
  /** What NIP-11 says of the relay and its operator beside the name. */
  words?: OperatorWords | undefined;
  limits: Limits;
  /** External accounts are mirrored within these bounds; not at all when it is absent. */
  mirror?: MirrorConfig | undefined;
  /** How long kinds are kept; everything for ever when not given. */
  retention?: readonly RetentionRule[] | undefined;
  /** What is no longer placed here leaves so long after it was handed over; 7 days when not given. */
  graceMs?: number | undefined;
  /** Threads that check signatures; 0 for the main thread. One less than there are cores, at most 4, when not given. */
  verifyThreads?: number | undefined;
  /** Which verifier checks signatures, and where its library is; the fastest that is there when not given. */
  verifier?: { wanted?: VerifierName; library?: string } | undefined;
  /** Leading zero bits that a client's event must have and commit to (NIP-13); 0 when not given. */
  powBitsMin?: number | undefined;
  /** Times of failure detection other than the usual ones: for tests. */
  liveness?: Partial<LivenessConfig> | undefined;
  /** Kinds that are served only to those whom an event tags, and to its author, authenticated; none when not given. */
  authKinds?: readonly number[] | undefined;
}

/** How the member learns of the table. */
export interface FollowConfig {
  roots: string[];
  natsUrl: string | undefined;
  nkeyFile: string | undefined;
  credsFile: string | undefined;
  /** How many coordinators must have signed an epoch. */
  signaturesMin: number;
}

/** @throws ConfigError */
export function readConfig(environment: NodeJS.ProcessEnv): { relay: RelayConfig; follow: FollowConfig } {
  const env = new EnvReader(environment);
  const publicUrl = env.optional('COVEY_PUBLIC_URL');
  return {
    relay: {
      secretKey: env.secretKeyFile('COVEY_MEMBER_KEY_FILE'),
      dir: env.string('COVEY_MEMBER_DIR'),
      storeUrl: env.optional('COVEY_STORE_URL') && env.url('COVEY_STORE_URL', ['postgres', 'postgresql']),
      listen: env.listen('COVEY_LISTEN', '127.0.0.1:4601'),
      publicUrl: publicUrl === undefined ? undefined : relayUrl('COVEY_PUBLIC_URL', publicUrl),
      cluster: env.string('COVEY_CLUSTER', 'local'),
      writes: env.choice('COVEY_WRITES', WRITE_MODES, 'forward'),
      profile: env.choice('COVEY_PROFILE', ['local', 'public'], 'public'),
      apiUrl: env.optional('COVEY_API_URL'),
      name: env.optional('COVEY_MEMBER_NAME'),
      words: readWords(env),
      limits: readLimits(env),
      mirror: readMirrorConfig(env),
      retention: parseRetention('COVEY_RETENTION', env.string('COVEY_RETENTION', '')),
      graceMs: 3_600_000 * env.integer('COVEY_GRACE_HOURS', { min: 1, max: 87_600, fallback: 168 }),
      verifyThreads: env.optional('COVEY_VERIFY_THREADS')
        ? env.integer('COVEY_VERIFY_THREADS', { min: 0, max: 64, fallback: 0 })
        : undefined,
      verifier: verifier(env),
      powBitsMin: env.integer('COVEY_POW_BITS_MIN', { min: 0, max: 64, fallback: 0 }),
      authKinds: kinds('COVEY_AUTH_KINDS', env.string('COVEY_AUTH_KINDS', '1059')),
    },
    follow: {
      roots: env.optional('COVEY_ROOTS') ? env.pubkeys('COVEY_ROOTS') : [],
      natsUrl: env.optional('NATS_URL'),
      nkeyFile: env.optional('NATS_NKEY_FILE'),
      credsFile: env.optional('NATS_CREDS_FILE'),
      signaturesMin: env.integer('COVEY_SIGNATURES_MIN', { min: 1, max: 32, fallback: 1 }),
    },
  };
}

function verifier(env: EnvReader): NonNullable<RelayConfig['verifier']> {
  const wanted = env.choice('COVEY_VERIFIER', ['auto', ...VERIFIERS], 'auto');
  const library = env.optional('COVEY_SECP256K1_LIBRARY');
  return { ...(wanted === 'auto' ? {} : { wanted }), ...(library ? { library } : {}) };
}

function readWords(env: EnvReader): OperatorWords {
  const link = (name: string, protocols: readonly string[]) =>
    env.optional(name) === undefined ? undefined : env.url(name, protocols);
  const web = ['https', 'http'];
  const contact = env.optional('COVEY_OPERATOR_CONTACT');
  if (contact !== undefined && !URL.canParse(contact))
    throw new ConfigError('COVEY_OPERATOR_CONTACT must be a URL, as mailto:me@example.com or https://…');
  const words = {
    description: env.optional('COVEY_MEMBER_DESCRIPTION'),
    pubkey: env.optional('COVEY_OPERATOR_PUBKEY') && env.pubkeys('COVEY_OPERATOR_PUBKEY')[0],
    contact,
    icon: link('COVEY_MEMBER_ICON', web),
    banner: link('COVEY_MEMBER_BANNER', web),
    terms_of_service: link('COVEY_MEMBER_TERMS', web),
  };
  return Object.fromEntries(Object.entries(words).filter(([, value]) => value !== undefined));
}

function kinds(name: string, text: string): number[] {
  if (text === 'none') return [];
  const list = text.split(',').map((kind) => (/^\d{1,5}$/.test(kind.trim()) ? Number(kind) : -1));
  if (list.some((kind) => kind < 0 || kind > 65_535))
    throw new ConfigError(`${name}: a comma list of kinds (0 to 65535), or none`);
  return list;
}

function relayUrl(name: string, text: string): string {
  try {
    return normalizeRelayUrl(text);
  } catch (cause) {
    throw new ConfigError(`${name}: ${(cause as Error).message}`, { cause });
  }
}
