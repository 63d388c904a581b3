import { ConfigError } from '@covey/config';
import { createLogger } from '@covey/log';
import { readApiConfig } from './config.ts';
import { ApiService } from './service.ts';

const log = createLogger('api');
try {
  const service = new ApiService(readApiConfig(process.env), log);
  const stop = async () => {
    await service.stop();
    process.exit(0);
  };
  process.once('SIGTERM', stop).once('SIGINT', stop);
  // Started by `covey up`: gone with it, however it goes.
  if (process.send) process.once('disconnect', stop);
  await service.start();
  process.send?.({ type: 'ready' });
} catch (error) {
  log.fatal({ err: error }, `the api did not start: ${(error as Error).message}`);
  process.exit(error instanceof ConfigError ? 78 : 70);
}
