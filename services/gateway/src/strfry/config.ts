import { join } from 'node:path';
import { ConfigError, EnvReader } from '@covey/config';
import { publicKeyOf } from '@covey/nostr';
import { PLUGIN_WRITES, type PluginWrites, SYNCED_CHOICES } from './policy.ts';

export interface PluginFlags {
  /** Instead of COVEY_MEMBER_DIR. */
  dir?: string | undefined;
  /** Follow the table over NATS in the background. */
  follow?: boolean | undefined;
  /** Only follow: a service of its own, that reads no requests. */
  followOnly?: boolean | undefined;
  /** Say whether settings, table and deny list can be used, and stop. */
  check?: boolean | undefined;
}

export interface PluginConfig {
  /** The folder with the cached table. */
  tableDir: string;
  /** The member's public key, hex. */
  self: string;
  cluster: string;
  /** Empty: no table is trusted, and everything is accepted. */
  roots: string[];
  writes: PluginWrites;
  synced: (typeof SYNCED_CHOICES)[number];
  denyFile: string | undefined;
  unknownPerMinute: number;
  lineBytesMax: number;
  nats: { url: string; nkeyFile: string | undefined; credsFile: string | undefined } | undefined;
}

/** @throws ConfigError */
export function readPluginConfig(environment: NodeJS.ProcessEnv, flags: PluginFlags): PluginConfig {
  const env = new EnvReader(environment);
  const natsUrl = env.optional('NATS_URL');
  if ((flags.follow || flags.followOnly) && !natsUrl)
    throw new ConfigError('NATS_URL is not set; it is where the table is followed');
  if (env.optional('COVEY_WRITES') === 'forward')
    throw new ConfigError(
      'COVEY_WRITES is "forward", which a plugin of strfry can’t do; set redirect or observe',
    );
  return {
    tableDir: join(flags.dir ?? env.string('COVEY_MEMBER_DIR'), 'table'),
    self: memberKey(env),
    cluster: env.string('COVEY_CLUSTER', 'local'),
    roots: env.optional('COVEY_ROOTS') ? env.pubkeys('COVEY_ROOTS') : [],
    writes: env.choice('COVEY_WRITES', PLUGIN_WRITES, 'redirect'),
    synced: env.choice('COVEY_SYNCED', SYNCED_CHOICES, 'accept'),
    denyFile: env.optional('COVEY_DENY_FILE'),
    unknownPerMinute: env.integer('COVEY_UNKNOWN_PER_MINUTE', { min: 0, max: 1_000_000, fallback: 0 }),
    lineBytesMax: env.integer('COVEY_LINE_BYTES_MAX', {
      min: 4096,
      max: 1 << 28,
      fallback: 8 * 1024 * 1024,
    }),
    nats: natsUrl
      ? { url: natsUrl, nkeyFile: env.optional('NATS_NKEY_FILE'), credsFile: env.optional('NATS_CREDS_FILE') }
      : undefined,
  };
}

/** The public key is enough: the plugin signs nothing. */
function memberKey(env: EnvReader): string {
  if (!env.optional('COVEY_MEMBER_PUBKEY')) {
    if (env.optional('COVEY_MEMBER_KEY_FILE')) return publicKeyOf(env.secretKeyFile('COVEY_MEMBER_KEY_FILE'));
    throw new ConfigError(
      'set COVEY_MEMBER_PUBKEY, the public key (npub or hex) of the member that this relay is',
    );
  }
  const keys = env.pubkeys('COVEY_MEMBER_PUBKEY');
  if (keys.length !== 1) throw new ConfigError('COVEY_MEMBER_PUBKEY must name one key');
  return keys[0]!;
}
