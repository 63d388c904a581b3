import { writeSync } from 'node:fs';

const LEVELS = { debug: 20, info: 30, warn: 40, error: 50 } as const;
type Level = keyof typeof LEVELS;

export type Log = Record<Level, (fields: object, text: string) => void>;

/**
 * The services' log lines (a JSON object each), on standard error: here standard output belongs to the relay's protocol.
 * Small, because a plugin's start is waited for. A reader that went away is no error.
 * @param level least level that is written; COVEY_LOG's words, `silent` among them
 */
export function createStderrLog(service: string, level = 'info'): Log {
  const least = LEVELS[level as Level] ?? (level === 'silent' || level === 'fatal' ? 60 : 10);
  const write = (name: Level) => (fields: object, text: string) => {
    if (LEVELS[name] < least) return;
    const line = { level: LEVELS[name], time: new Date().toISOString(), service, ...fields, msg: text };
    try {
      writeSync(2, `${JSON.stringify(line)}\n`);
    } catch {
      // Nobody reads it, or the pipe is full: a decision does not wait for a log line.
    }
  };
  return { debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') };
}
