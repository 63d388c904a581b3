import { ConfigError } from '@covey/config';
import { createLogger } from '@covey/log';
import { readConfig } from './config.ts';
import { Coordinator } from './coordinator.ts';

const EXIT_CONFIG = 78;
const log = createLogger('coordinator');
try {
  const config = readConfig(process.env);
  const coordinator = new Coordinator(config, log, (text) => process.send?.({ type: 'progress', text }));
  let stopping = false;
  const stop = async (signal: string) => {
    if (stopping) return;
    stopping = true;
    log.info({ signal }, 'stopping');
    await coordinator.stop();
    process.exit(0);
  };
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => void stop(signal));
  process.on('disconnect', () => void stop('the parent is gone'));
  await coordinator.start();
  process.send?.({ type: 'ready' });
} catch (error) {
  log.fatal(
    { error: String(error) },
    error instanceof ConfigError ? 'the settings are not usable' : 'the coordinator could not start',
  );
  process.exit(error instanceof ConfigError ? EXIT_CONFIG : 70);
}
