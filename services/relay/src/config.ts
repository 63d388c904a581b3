import { ConfigError, EnvReader } from '@covey/config';
import { WRITE_MODES, type WriteMode } from '@covey/enforcement';
import { normalizeRelayUrl } from '@covey/nostr';
import { type Limits, readLimits } from './limits.ts';

export interface RelayConfig {
  /** Secret key (hex) of the member: its identity in the table, between members and in NIP-11's `self`. */
  secretKey: string;
  /** Folder of its own: store, and the cached table. */
  dir: string;
  listen: { host: string; port: number };
  /** The URL that clients and members open; `ws://host:port` when not given. */
  publicUrl: string | undefined;
  cluster: string;
  writes: WriteMode;
  /** `local`: other members may have private addresses. */
  profile: 'local' | 'public';
  apiUrl: string | undefined;
  name: string | undefined;
  limits: Limits;
}

/** How the member learns of the table. */
export interface FollowConfig {
  roots: string[];
  natsUrl: string | undefined;
  nkeyFile: string | undefined;
  credsFile: string | undefined;
}

/** @throws ConfigError */
export function readConfig(environment: NodeJS.ProcessEnv): { relay: RelayConfig; follow: FollowConfig } {
  const env = new EnvReader(environment);
  const publicUrl = env.optional('COVEY_PUBLIC_URL');
  return {
    relay: {
      secretKey: env.secretKeyFile('COVEY_MEMBER_KEY_FILE'),
      dir: env.string('COVEY_MEMBER_DIR'),
      listen: env.listen('COVEY_LISTEN', '127.0.0.1:4601'),
      publicUrl: publicUrl === undefined ? undefined : relayUrl('COVEY_PUBLIC_URL', publicUrl),
      cluster: env.string('COVEY_CLUSTER', 'local'),
      writes: env.choice('COVEY_WRITES', WRITE_MODES, 'forward'),
      profile: env.choice('COVEY_PROFILE', ['local', 'public'], 'public'),
      apiUrl: env.optional('COVEY_API_URL'),
      name: env.optional('COVEY_MEMBER_NAME'),
      limits: readLimits(env),
    },
    follow: {
      roots: env.optional('COVEY_ROOTS') ? env.pubkeys('COVEY_ROOTS') : [],
      natsUrl: env.optional('NATS_URL'),
      nkeyFile: env.optional('NATS_NKEY_FILE'),
      credsFile: env.optional('NATS_CREDS_FILE'),
    },
  };
}

function relayUrl(name: string, text: string): string {
  try {
    return normalizeRelayUrl(text);
  } catch (cause) {
    throw new ConfigError(`${name}: ${(cause as Error).message}`, { cause });
  }
}
