import { existsSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { delimiter, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { NATS_STEPS, STAGE_NATS } from '../../services/cli/src/up/reaper-protocol.ts';
import { NativeServer, onFreePort, temporaryDirectory } from './native-server.ts';

/** What a test that skips for want of Redis prints. */
export const REDIS_MISSING = 'no Redis here: set REDIS_URL, or put redis-server or valkey-server on the PATH';

/**
 * Redis or Valkey: the one that REDIS_URL names, else a server from the PATH, else undefined: the test skips and says
 * REDIS_MISSING. @throws Error where COVEY_REQUIRE lists redis and there is none.
 */
export async function startRedis(): Promise<{ url: string; stop(): Promise<void> } | undefined> {
  const real = process.env['REDIS_URL'];
  if (real) return { url: real, stop: async () => {} };
  const command = onPath('redis-server') ?? onPath('valkey-server');
  if (!command) {
    const required = (process.env['COVEY_REQUIRE'] ?? '').split(',').includes('redis');
    if (required) throw new Error(`COVEY_REQUIRE asks for redis: ${REDIS_MISSING}`);
    return undefined;
  }
  const directory = temporaryDirectory('redis');
  const running = await onFreePort(async (port) => {
    const args = ['--bind', '127.0.0.1', '--port', String(port), '--dir', directory, '--save', ''];
    args.push('--maxmemory-policy', 'noeviction');
    const server = new NativeServer({
      command,
      args,
      log: join(directory, 'log'),
      stage: STAGE_NATS,
      steps: NATS_STEPS,
    });
    await server.untilReady((signal) => untilListening(port, signal));
    return { server, port };
  });
  const stop = async () => {
    await running.server.stop('SIGTERM');
    rmSync(directory, { recursive: true, force: true });
  };
  return { url: `redis://127.0.0.1:${running.port}`, stop };
}

function onPath(command: string): string | undefined {
  const directories = (process.env['PATH'] ?? '').split(delimiter).filter(Boolean);
  return directories.map((directory) => join(directory, command)).find((path) => existsSync(path));
}

async function untilListening(port: number, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const open = await new Promise<boolean>((resolve) => {
      const socket = connect({ host: '127.0.0.1', port });
      socket.on('connect', () => resolve(true)).on('error', () => resolve(false));
      socket.on('connect', () => socket.destroy());
    });
    if (open) return;
    await sleep(20);
  }
}
