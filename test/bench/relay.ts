import type { ChildProcess } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { load, type Server, startLoad, startMember, startNostrRelay } from './beside/servers.ts';
import { measureIdle } from './idle.ts';
import type { LoadOrder } from './relay-load.ts';

/**
 * A member beside nostr-relay (npm): durable writes, stored reads, live fan-out, idle memory, bytes on the wire. Each server
 * is a process of its own and is charged for the CPU time that it used (all its threads), read from /proc; the load comes
 * from a child process. NOSTR_RELAY_DIR names a folder where @nostr-relay/core, @nostr-relay/event-repository-sqlite,
 * @nostr-relay/validator and ws are installed (NOSTR_RELAY_NODE: the Node.js that its SQLite addon was built for); without it
 * the member is measured alone.
 */

/** CPU time in /proc counts in these. */
const TICKS_PER_SECOND = 100;
/** User and system time of a process with its threads. */
function cpuSeconds({ pid }: ChildProcess): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

interface Figures {
  writesPerCoreSecond: number;
  writesPerSecond: number;
  readEventsPerCoreSecond: number;
  fanoutPerCoreSecond: number;
  fanoutPerSecond: number;
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
  console.error(`${server.name}: ${url}`);
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
      idle: { type: 'string', default: '3' },
    },
  });
  const sizes = {
    writes: Number(values.writes),
    readMs: Number(values['read-ms']),
    fanout: Number(values.fanout),
  };
  const dir = mkdtempSync(join(tmpdir(), 'covey-bench-'));
  const install = process.env['NOSTR_RELAY_DIR'];
  const child = startLoad();
  const idle = await measureIdle(Number(values.idle));
  const servers: Server[] = [];
  const results: Record<string, Figures> = {};
  try {
    await load(child, { type: 'prepare', events: sizes.writes + sizes.fanout, authors: 200 });
    for (const start of [
      () => startMember(join(dir, 'member')),
      ...(install ? [() => startNostrRelay(join(dir, 'nostr-relay'), install)] : []),
    ]) {
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
        idle,
        beside: theirs
          ? {
              writes: ratio('writesPerCoreSecond'),
              reads: ratio('readEventsPerCoreSecond'),
              fanout: ratio('fanoutPerCoreSecond'),
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
