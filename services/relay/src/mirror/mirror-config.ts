import type { EnvReader } from '@covey/config';
import { MIRRORED_ACCOUNTS_MAX } from '@covey/protocol';
import type { MirrorConfig } from './mirror.ts';

/** What the operator allows to be mirrored; undefined when nothing, which is the default. @throws ConfigError */
export function readMirrorConfig(env: EnvReader): MirrorConfig | undefined {
  if (env.choice('COVEY_MIRROR', ['on', 'off'], 'off') === 'off') return undefined;
  return {
    accountsMax: env.integer('COVEY_MIRROR_ACCOUNTS_MAX', {
      min: 1,
      max: MIRRORED_ACCOUNTS_MAX,
      fallback: 1000,
    }),
    bytesMax: env.integer('COVEY_MIRROR_BYTES_MAX', {
      min: 1,
      max: Number.MAX_SAFE_INTEGER,
      fallback: 1024 ** 3,
    }),
    eventsPerSecond: env.integer('COVEY_MIRROR_EVENTS_PER_SECOND', { min: 1, max: 10_000, fallback: 50 }),
    liveRelaysMax: env.integer('COVEY_MIRROR_LIVE_RELAYS_MAX', { min: 0, max: 1000, fallback: 32 }),
    pollMs: env.integer('COVEY_MIRROR_POLL_MS', { min: 1000, max: 86_400_000, fallback: 60_000 }),
  };
}
