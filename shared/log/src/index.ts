import { destination, type Logger, pino, stdTimeFunctions } from 'pino';

export type { Logger };

/** Structured logs, a JSON object a line on standard output, with the service's name. Level by COVEY_LOG (default info). */
export function createLogger(service: string, level = process.env['COVEY_LOG'] || 'info'): Logger {
  return pino(
    {
      level,
      base: { service },
      timestamp: stdTimeFunctions.isoTime,
      redact: ['secretKey', 'seed', '*.secretKey'],
    },
    destination({ fd: 1, sync: true }),
  );
}
