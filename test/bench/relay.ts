import { type ChildProcess, fork, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import type { LoadAnswer, LoadOrder } from './relay-load.ts';

/**
 * A member beside nostr-relay (npm): durable writes, stored reads, live fan-out, idle memory, bytes on the wire. Each server
 * is a process of its own and is charged for the CPU time that it used (all its threads), read from /proc; the load comes
 * from a child process. NOSTR_RELAY_DIR names a folder where @nostr-relay/core, @nostr-relay/event-repository-sqlite,
 * @nostr-relay/validator and ws are installed (NOSTR_RELAY_NODE: the Node.js that its SQLite addon was built for); without it
 * the member is measured alone.
 */

const path = (name: string) => fileURLToPath(new URL(name, import.meta.url));
/** CPU time in /proc counts in these. */
const TICKS_PER_SECOND = 100;
/** A server that died leaves its load without an answer. */
const LOAD_MS_MAX = 300_000;

interface Server {
  name: string;
  url: string;
  process: ChildProcess;
}

async function startMember(dir: string): Promise<Server> {
  writeFileSync(join(dir, 'member.key'), randomBytes(32).toString('hex'), { mode: 0o600 });
  const port = await freePort();
  const child = fork(path('../../services/relay/src/main.ts'), {
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

async function startNostrRelay(dir: string, install: string): Promise<Server> {
  const child = spawn(
    process.env['NOSTR_RELAY_NODE'] ?? process.execPath,
    [path('beside/nostr-relay.mjs'), install, join(dir, 'nostr-relay.db')],
    {
      stdio: ['pipe', 'pipe', 'inherit'],
    },
  );
  const [line] = (await once(createInterface(child.stdout!), 'line')) as [string];
  return { name: 'nostr-relay', url: `ws://127.0.0.1:${JSON.parse(line).port}`, process: child };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  return port;
}

/** User and system time of a process with its threads. */
function cpuSeconds({ pid }: ChildProcess): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

function residentMb({ pid }: ChildProcess): number {
  const kb = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1];
  return Number(kb) / 1024;
}

async function load(child: ChildProcess, order: LoadOrder): Promise<LoadAnswer> {
  child.send(order);
  const [answer] = (await once(child, 'message', { signal: AbortSignal.timeout(LOAD_MS_MAX) })) as [
    LoadAnswer & { error?: string },
  ];
  if (answer.error !== undefined) throw new Error(`the load failed: ${answer.error}`);
  return answer;
}

interface Figures {
  writesPerCoreSecond: number;
  writesPerSecond: number;
  readEventsPerCoreSecond: number;
  fanoutPerCoreSecond: number;
  fanoutPerSecond: number;
  mbPer1000Idle: number;
  bytesPer1000Events: number;
  bytesPer1000EventsInBatches: number | undefined;
}

async function measure(server: Server, child: ChildProcess, sizes: Record<string, number>): Promise<Figures> {
  const { url } = server;
  const perCore = async (order: LoadOrder) => {
    const before = cpuSeconds(server.process);
    const answer = await load(child, order);
    const used = cpuSeconds(server.process) - before;
    console.error(
      `${server.name} ${order.type}: ${answer.count} in ${answer.seconds.toFixed(2)} s, ${used.toFixed(2)} s of CPU`,
    );
    return { ...answer, perCore: answer.count / used, perSecond: answer.count / answer.seconds };
  };
  // Idle first: a heap that was used tells nothing of connections.
  console.error(`${server.name}: ${url}`);
  await load(child, { type: 'idle', url, connections: 20 });
  await load(child, { type: 'close' });
  const empty = residentMb(server.process);
  await load(child, { type: 'idle', url, connections: sizes['idle']! });
  const full = residentMb(server.process);
  await load(child, { type: 'close' });
  const writes = sizes['writes']!;
  await load(child, { type: 'publish', url, connections: 8, inFlight: 32, until: 200 });
  const written = await perCore({ type: 'publish', url, connections: 8, inFlight: 32, until: writes });
  await load(child, { type: 'read', url, connections: 8, ms: 500 });
  const read = await perCore({ type: 'read', url, connections: 8, ms: sizes['readMs']! });
  const single = await load(child, { type: 'bytes', url, batch: false });
  const batched =
    server.name === 'covey' ? await load(child, { type: 'bytes', url, batch: true }) : undefined;
  await load(child, { type: 'subscribe', url, subscribers: 1000 });
  const live = await perCore({ type: 'fanout', url, events: sizes['fanout']! });
  await load(child, { type: 'close' });
  return {
    writesPerCoreSecond: Math.round(written.perCore),
    writesPerSecond: Math.round(written.perSecond),
    readEventsPerCoreSecond: Math.round(read.perCore),
    fanoutPerCoreSecond: Math.round(live.perCore),
    fanoutPerSecond: Math.round(live.perSecond),
    mbPer1000Idle: Math.round(((full - empty) * 10_000) / sizes['idle']!) / 10,
    bytesPer1000Events: single.bytes,
    bytesPer1000EventsInBatches: batched?.bytes,
  };
}

export async function run(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: {
      writes: { type: 'string', default: '10000' },
      'read-ms': { type: 'string', default: '3000' },
      fanout: { type: 'string', default: '100' },
      idle: { type: 'string', default: '1000' },
    },
  });
  const sizes = {
    writes: Number(values.writes),
    readMs: Number(values['read-ms']),
    fanout: Number(values.fanout),
    idle: Number(values.idle),
  };
  const dir = mkdtempSync(join(tmpdir(), 'covey-bench-'));
  const install = process.env['NOSTR_RELAY_DIR'];
  const child = fork(path('relay-load.ts'), { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  const servers: Server[] = [];
  const results: Record<string, Figures> = {};
  try {
    await load(child, { type: 'prepare', events: sizes.writes + sizes.fanout, authors: 200 });
    for (const start of [() => startMember(dir), ...(install ? [() => startNostrRelay(dir, install)] : [])]) {
      const server = await start();
      servers.push(server);
      results[server.name] = await measure(server, child, sizes);
      server.process.kill();
    }
  } finally {
    for (const server of servers) server.process.kill();
    child.kill();
    rmSync(dir, { recursive: true, force: true });
  }
  const [ours, theirs] = [results['covey']!, results['nostr-relay']];
  const ratio = (name: keyof Figures) =>
    theirs ? Math.round((100 * Number(ours[name])) / Number(theirs[name])) / 100 : undefined;
  console.log(
    JSON.stringify(
      {
        ...results,
        beside: theirs
          ? {
              writes: ratio('writesPerCoreSecond'),
              reads: ratio('readEventsPerCoreSecond'),
              fanout: ratio('fanoutPerCoreSecond'),
              idleMemory: ratio('mbPer1000Idle'),
            }
          : 'nostr-relay was not measured: NOSTR_RELAY_DIR names no installation',
        batchesToSingle:
          Math.round((1000 * (ours.bytesPer1000EventsInBatches ?? 0)) / ours.bytesPer1000Events) / 1000,
      },
      null,
      2,
    ),
  );
}

if (import.meta.main) await run(process.argv.slice(2));
