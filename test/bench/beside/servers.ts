/** The servers that a benchmark puts the same load to, each a process of its own, and its load in another. */
import { type ChildProcess, fork, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { freePort } from '../../support/free-port.ts';
import type { LoadAnswer, LoadOrder } from '../relay-load.ts';

const path = (name: string) => fileURLToPath(new URL(name, import.meta.url));
/** A server that died leaves its load without an answer. */
const LOAD_MS_MAX = 300_000;

export interface Server {
  name: string;
  url: string;
  process: ChildProcess;
}

/** A member that follows no table. @param dir a folder of its own */
export async function startMember(dir: string): Promise<Server> {
  mkdirSync(dir, { recursive: true });
  writeFileSync(join(dir, 'member.key'), randomBytes(32).toString('hex'), { mode: 0o600 });
  const port = await freePort();
  const child = fork(path('../../../services/relay/src/main.ts'), {
    env: {
      ...process.env,
      COVEY_MEMBER_KEY_FILE: join(dir, 'member.key'),
      COVEY_MEMBER_DIR: join(dir, 'member'),
      COVEY_LISTEN: `127.0.0.1:${port}`,
      COVEY_LOG: 'error',
    },
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  await once(child, 'message');
  return { name: 'covey', url: `ws://127.0.0.1:${port}`, process: child };
}

/**
 * nostr-relay (npm). @param install a folder where @nostr-relay/core, @nostr-relay/event-repository-sqlite,
 * @nostr-relay/validator and ws are installed
 */
export async function startNostrRelay(dir: string, install: string): Promise<Server> {
  mkdirSync(dir, { recursive: true });
  const node = process.env['NOSTR_RELAY_NODE'] ?? process.execPath;
  return await startScript('nostr-relay', node, [path('nostr-relay.mjs'), install, join(dir, 'events.db')]);
}

/** The `ws` package alone, under the member's Node. */
export async function startBareWs(): Promise<Server> {
  return await startScript('ws', process.execPath, [path('bare-ws.mjs')]);
}

async function startScript(name: string, node: string, args: string[]): Promise<Server> {
  const child = spawn(node, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  const [line] = (await once(createInterface(child.stdout), 'line')) as [string];
  return { name, url: `ws://127.0.0.1:${JSON.parse(line).port}`, process: child };
}

export function startLoad(): ChildProcess {
  return fork(path('../relay-load.ts'), { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
}

/** Has the load carry out an order. @throws Error what went wrong there */
export async function load(child: ChildProcess, order: LoadOrder): Promise<LoadAnswer> {
  child.send(order);
  const [answer] = (await once(child, 'message', { signal: AbortSignal.timeout(LOAD_MS_MAX) })) as [
    LoadAnswer & { error?: string },
  ];
  if (answer.error !== undefined) throw new Error(`the load failed: ${answer.error}`);
  return answer;
}
