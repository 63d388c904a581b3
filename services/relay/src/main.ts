import { ConfigError } from '@covey/config';
import { createLogger } from '@covey/log';
import { readConfig } from './config.ts';
import { ListenError } from './listener.ts';
import { Member } from './member.ts';
import { StoreError } from './store/store-errors.ts';

const log = createLogger('relay');
/** A stop that takes longer than this is cut short. What was said OK to is on disk already. */
const STOP_MS_MAX = 5000;

try {
  const member = await Member.open(readConfig(process.env), log);
  let stopping = false;
  const stop = async (why: string) => {
    if (stopping) return;
    stopping = true;
    log.info({ why }, 'stopping');
    setTimeout(() => process.exit(1), STOP_MS_MAX).unref();
    await member.stop();
    process.exit(0);
  };
  process.on('SIGTERM', () => stop('SIGTERM'));
  process.on('SIGINT', () => stop('SIGINT'));
  if (process.send) process.on('disconnect', () => stop('the parent process is gone'));
  await member.start();
  process.send?.({ type: 'ready' });
} catch (error) {
  const known = [ConfigError, StoreError, ListenError].some((kind) => error instanceof kind);
  log.fatal(known ? { error: (error as Error).message } : { err: error }, 'the relay could not start');
  process.exit(error instanceof ConfigError ? 78 : error instanceof StoreError ? 65 : 70);
}
