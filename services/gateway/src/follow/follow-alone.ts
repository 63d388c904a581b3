import type { Log } from '../stderr-log.ts';
import type { PluginConfig } from '../strfry/config.ts';
import { Follower } from './follower.ts';

const STOP_MS_MAX = 5000;

/** The follower as a service of its own: until SIGTERM or SIGINT. */
export async function followAlone(config: PluginConfig, log: Log): Promise<void> {
  const { nats } = config;
  const follower = new Follower({ ...config, nats: nats! }, log);
  follower.start();
  const signal = await new Promise<string>((resolve) => {
    process.once('SIGTERM', resolve);
    process.once('SIGINT', resolve);
  });
  log.info({ why: signal }, 'stopping');
  setTimeout(() => process.exit(1), STOP_MS_MAX).unref();
  await follower.stop();
  process.exit(0);
}
