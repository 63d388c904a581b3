/**
 * A process that lives only to end others: it holds a pipe from the supervisor, and when the pipe closes (the supervisor
 * is gone, however it went) it ends every ward in order, then itself. Authority over nothing while the pipe is open.
 * It has its own session and ignores the signals of a terminal, so that it outlives what ends the supervisor.
 */
import { createInterface } from 'node:readline';
import { reap } from './reap.ts';
import type { ReaperMessage, Ward } from './reaper-protocol.ts';

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {});

const wards = new Map<number, Ward>();
const lines = createInterface({ input: process.stdin });
lines.on('line', (line) => {
  const message = JSON.parse(line) as ReaperMessage;
  if ('watch' in message) wards.set(message.watch.pid, message.watch);
  else wards.delete(message.forget);
});
lines.on('close', async () => {
  const survivors = await reap([...wards.values()]);
  process.exit(survivors.length > 0 ? 1 : 0);
});
