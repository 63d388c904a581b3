import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { seededUint32 } from '@covey/graph';
import { buildRows, encodeTable, PlacementTable, SLOT_GROUPS, type TableMember } from '@covey/table';
import { AUTHORITY, cacheTable, LAUNCHER } from '../integration/strfry-fixture.ts';

const MEMBERS = 64;

/**
 * strfry's write-policy plugin as a child process, on a table of many accounts. Options: `--accounts N` (1,000,000),
 * `--groups N` (10,000), `--requests N` (20,000), `--starts N` (5). Times in ms; `startMs` is from the spawn to the first
 * answer, the first start with no compile cache.
 */
export async function run(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: {
      accounts: { type: 'string', default: '1000000' },
      groups: { type: 'string', default: '10000' },
      requests: { type: 'string', default: '20000' },
      starts: { type: 'string', default: '5' },
    },
  });
  const accounts = Number(values.accounts);
  const requests = Number(values.requests);
  const dir = mkdtempSync(join(tmpdir(), 'covey-bench-strfry-'));
  try {
    const { table, keys } = makeTable(accounts, Number(values.groups));
    cacheTable(join(dir, 'table'), table);
    const random = seededUint32('strfry bench requests');
    const lines = Array.from({ length: requests }, () => requestLine(keys, random, accounts));
    const env = {
      PATH: '/usr/bin:/bin',
      COVEY_SETTINGS_FILE: '/nowhere',
      COVEY_MEMBER_DIR: dir,
      COVEY_MEMBER_PUBKEY: table.members[0]!.id,
      COVEY_CLUSTER: 'bench',
      COVEY_ROOTS: AUTHORITY.pubkey,
      COVEY_LOG: 'error',
    };
    const startMs: number[] = [];
    for (let i = 0; i < Number(values.starts); i++) {
      const startedMs = performance.now();
      const plugin = new Answers(spawn(LAUNCHER, { env }));
      await plugin.ask(lines[0]!);
      startMs.push(Math.round(performance.now() - startedMs));
      await new Promise((resolve) => setTimeout(resolve, 1200)); // a plugin that lives long enough keeps its compiled code
      await plugin.close();
    }

    const plugin = new Answers(spawn(LAUNCHER, { env }));
    for (const line of lines.slice(0, 2000)) await plugin.ask(line);
    const took: number[] = [];
    let startedMs = performance.now();
    for (const line of lines) {
      const askedMs = performance.now();
      await plugin.ask(line);
      took.push(performance.now() - askedMs);
    }
    const oneByOne = Math.round((requests * 1000) / (performance.now() - startedMs));
    startedMs = performance.now();
    await plugin.askAll(lines);
    const pipelined = Math.round((requests * 1000) / (performance.now() - startedMs));
    await plugin.close();
    took.sort((a, b) => a - b);
    const percentile = (share: number) => Number(took[Math.floor(requests * share)]!.toFixed(3));
    console.log(
      JSON.stringify({
        bench: 'strfry-plugin',
        accounts,
        tableBytes: table.bytes.length,
        startMs,
        decisionsPerSecond: { oneByOne, pipelined },
        oneByOneMs: { p50: percentile(0.5), p99: percentile(0.99), max: percentile(1 - 1 / requests) },
      }),
    );
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

function makeTable(accounts: number, groupCount: number): { table: PlacementTable; keys: Uint8Array } {
  const random = seededUint32('strfry bench');
  const members: TableMember[] = Array.from({ length: MEMBERS }, (_, i) => ({
    id: i.toString(16).padStart(64, '0'),
    url: `wss://relay-${i}.example`,
    name: `relay ${i}`,
    operator: `operator ${i}`,
    capacity: { copies: 1, connections: 1, reads: 1 },
    state: 'active',
  }));
  const groups = Array.from({ length: SLOT_GROUPS + groupCount }, () => {
    const first = random() % MEMBERS;
    return {
      members: [first, (first + 7) % MEMBERS, (first + 21) % MEMBERS],
      copies: 3,
      hub: false,
      pinned: false,
    };
  });
  const keys = new Uint8Array(accounts * 32);
  const words = new Uint32Array(keys.buffer);
  for (let i = 0; i < words.length; i++) words[i] = random();
  const groupOf = Uint32Array.from({ length: accounts }, () => SLOT_GROUPS + (random() % groupCount));
  const content = { cluster: 'bench', epoch: 1, members, groups, moves: [], rows: buildRows(keys, groupOf) };
  return { table: new PlacementTable(encodeTable(content)), keys };
}

/** A note of a usual size by an account of the table; signatures are strfry's to check. */
function requestLine(keys: Uint8Array, random: () => number, accounts: number): string {
  const at = (random() % accounts) * 32;
  const hex = (bytes: number) =>
    Array.from({ length: bytes / 4 }, () => random().toString(16).padStart(8, '0')).join('');
  const event = {
    content: 'a note of a usual length, that says nothing much, and says it twice; '.repeat(3),
    created_at: 1_760_000_000,
    id: hex(32),
    kind: 1,
    pubkey: Buffer.from(keys.subarray(at, at + 32)).toString('hex'),
    sig: hex(64),
    tags: [
      ['e', hex(32), 'wss://relay.example', 'reply'],
      ['p', hex(32)],
    ],
  };
  const request = {
    event,
    receivedAt: 1_760_000_001,
    sourceInfo: '203.0.113.7',
    sourceType: 'IP4',
    type: 'new',
  };
  return `${JSON.stringify(request)}\n`;
}

/** Counts answers; whether they are right is the tests' business. */
class Answers {
  readonly #child: ChildProcessWithoutNullStreams;
  #waiting: { lines: number; resolve: () => void } | undefined;

  constructor(child: ChildProcessWithoutNullStreams) {
    this.#child = child;
    child.stderr.pipe(process.stderr);
    child.stdout.on('data', (chunk: Buffer) => {
      if (!this.#waiting) return;
      for (const byte of chunk) if (byte === 10) this.#waiting.lines--;
      if (this.#waiting.lines <= 0) this.#waiting.resolve();
    });
  }

  #expect(lines: number): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting = { lines, resolve };
    });
  }

  async ask(line: string): Promise<void> {
    const answered = this.#expect(1);
    this.#child.stdin.write(line);
    await answered;
  }

  async askAll(lines: readonly string[]): Promise<void> {
    const answered = this.#expect(lines.length);
    for (const line of lines) if (!this.#child.stdin.write(line)) await once(this.#child.stdin, 'drain');
    await answered;
  }

  async close(): Promise<void> {
    const exit = once(this.#child, 'exit');
    this.#child.stdin.end();
    await exit;
  }
}
