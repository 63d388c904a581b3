import type { ChildProcess } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { load, type Server, startBareWs, startLoad, startMember, startNostrRelay } from './beside/servers.ts';

/**
 * Resident memory for connections that say nothing: a member beside the bare `ws` package under the same Node, and beside
 * nostr-relay (npm) where NOSTR_RELAY_DIR names an installation (relay.ts says more). Each figure is the median of fresh
 * processes. A heap takes room in large steps, once, whatever fills it: so the first 1,000 connections and those after them,
 * up to 4,000, are told apart.
 */
export interface IdleFigures {
  /** MB for the first 1,000, with what the heap took on that occasion. */
  mbFirst1000: number;
  /** MB for each further 1,000. */
  mbNext1000: number;
}

const FIRST = 1000;
const ALL = 4000;

export async function run(args: string[]): Promise<void> {
  const { values } = parseArgs({ args, options: { rounds: { type: 'string', default: '3' } } });
  console.log(JSON.stringify(await measureIdle(Number(values.rounds)), null, 2));
}

/** By the server's name. */
export async function measureIdle(rounds: number): Promise<Record<string, IdleFigures>> {
  const dir = mkdtempSync(join(tmpdir(), 'covey-idle-'));
  const install = process.env['NOSTR_RELAY_DIR'];
  const results: Record<string, IdleFigures[]> = {};
  try {
    for (let round = 0; round < rounds; round++)
      for (const start of [
        () => startMember(join(dir, `member-${round}`)),
        startBareWs,
        ...(install ? [() => startNostrRelay(join(dir, `nostr-relay-${round}`), install)] : []),
      ]) {
        const server = await start();
        const child = startLoad();
        try {
          const figures = await measure(server, child);
          console.error(`${server.name}: ${JSON.stringify(figures)}`);
          (results[server.name] ??= []).push(figures);
        } finally {
          child.kill();
          server.process.kill();
        }
      }
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
  return Object.fromEntries(Object.entries(results).map(([name, all]) => [name, median(all)]));
}

async function measure({ url, process: { pid } }: Server, child: ChildProcess): Promise<IdleFigures> {
  // What is loaded and compiled with the first connections is not theirs.
  await load(child, { type: 'idle', url, connections: 20 });
  await load(child, { type: 'close' });
  const empty = residentMb(pid!);
  await load(child, { type: 'idle', url, connections: FIRST });
  const first = residentMb(pid!);
  await load(child, { type: 'idle', url, connections: ALL - FIRST });
  const all = residentMb(pid!);
  return { mbFirst1000: first - empty, mbNext1000: ((all - first) * 1000) / (ALL - FIRST) };
}

function residentMb(pid: number): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]) / 1024;
}

function median(all: readonly IdleFigures[]): IdleFigures {
  const of = (name: keyof IdleFigures) => {
    const sorted = all.map((figures) => figures[name]).sort((a, b) => a - b);
    return Math.round(10 * sorted[sorted.length >> 1]!) / 10;
  };
  return { mbFirst1000: of('mbFirst1000'), mbNext1000: of('mbNext1000') };
}

if (import.meta.main) await run(process.argv.slice(2));
