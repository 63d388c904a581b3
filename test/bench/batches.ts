import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type NostrEvent, publicKeyOf, signEvent } from '@covey/nostr';
import { DEFAULT_LIMITS, FixedTable, Relay } from '@covey/relay';
import WebSocket from 'ws';

/**
 * Bytes that a device receives for the same 1,000 events one by one, in batches of 50, and in compressed batches of 50:
 * payloads of all messages of a real member's answer. Events are made up of notes, reactions and reposts with texts from
 * this repository's pages, or read from a file of JSON lines (--file).
 */
export async function run(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: { events: { type: 'string', default: '1000' }, file: { type: 'string' } },
  });
  const events = values.file
    ? readFileSync(values.file, 'utf8')
        .split('\n')
        .filter(Boolean)
        .slice(0, Number(values.events))
        .map((line): NostrEvent => JSON.parse(line))
    : makeEvents(Number(values.events));
  const dir = mkdtempSync(join(tmpdir(), 'covey-bench-'));
  const log = { info() {}, warn() {}, error: console.error, debug() {} };
  const relay = new Relay({
    config: {
      secretKey: '0b'.repeat(32),
      dir,
      listen: { host: '127.0.0.1', port: 0 },
      publicUrl: undefined,
      cluster: 'bench',
      writes: 'forward',
      profile: 'local',
      apiUrl: undefined,
      name: undefined,
      limits: {
        ...DEFAULT_LIMITS,
        limitMax: 100_000,
        answerBytesMax: 1 << 30,
        createdAtFutureSecondsMax: 1e9,
      },
    },
    tables: new FixedTable(),
    log,
  });
  const port = await relay.start();
  const url = `ws://127.0.0.1:${port}`;
  await publish(url, events);
  const oneByOne = await read(url, undefined);
  const batched = await read(url, { batch: 50 });
  const compressed = await read(url, { batch: 50, compress: 'deflate-raw' });
  await relay.stop();
  rmSync(dir, { recursive: true, force: true });
  console.log(
    JSON.stringify(
      {
        events: events.length,
        oneByOneBytes: oneByOne,
        batchesBytes: batched,
        compressedBatchesBytes: compressed,
        batchesShare: share(batched, oneByOne),
        compressedBatchesShare: share(compressed, oneByOne),
      },
      null,
      2,
    ),
  );
}

const share = (part: number, whole: number): number => Math.round((part / whole) * 1000) / 1000;

function makeEvents(count: number): NostrEvent[] {
  const words = readFileSync(new URL('../../shared/protocol/README.md', import.meta.url), 'utf8')
    .split(/[^A-Za-z']+/)
    .filter((word) => word.length > 1);
  let state = 7;
  const random = (below: number) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
  const hash = (text: string) => createHash('sha256').update(text).digest('hex');
  const authors = Array.from({ length: 150 }, (_, i) => hash(`author ${i}`)).map((secret) => ({
    secret,
    pubkey: publicKeyOf(secret),
  }));
  const text = () => Array.from({ length: 8 + random(40) }, () => words[random(words.length)]).join(' ');
  return Array.from({ length: count }, (_, i) => {
    const { secret, pubkey } = authors[random(authors.length)]!;
    const other = ['p', authors[random(authors.length)]!.pubkey];
    const parent = ['e', hash(`event ${random(300)}`)];
    const dice = random(10);
    const event = { pubkey, created_at: 1_790_000_000 + i * 7 };
    if (dice < 5) return signEvent({ ...event, kind: 1, tags: [], content: text() }, secret);
    if (dice < 8)
      return signEvent(
        { ...event, kind: 1, tags: [[...parent, '', 'reply'], other], content: text() },
        secret,
      );
    return signEvent({ ...event, kind: 7, tags: [parent, other], content: '+' }, secret);
  });
}

async function publish(url: string, events: readonly NostrEvent[]): Promise<void> {
  const socket = new WebSocket(url, { perMessageDeflate: false });
  await new Promise((resolve) => socket.once('open', resolve));
  let left = events.length;
  await new Promise<void>((resolve, reject) => {
    socket.on('message', (data) => {
      const [type, , accepted, reason] = JSON.parse(data.toString());
      if (type !== 'OK') return;
      if (!accepted) reject(new Error(reason));
      if (--left === 0) resolve();
    });
    for (const event of events) socket.send(JSON.stringify(['EVENT', event]));
  });
  socket.terminate();
}

/** Payload bytes of what answers one REQ for everything, EOSE included. */
async function read(url: string, options: object | undefined): Promise<number> {
  const socket = new WebSocket(url, { perMessageDeflate: false });
  await new Promise((resolve) => socket.once('open', resolve));
  let bytes = 0;
  await new Promise<void>((resolve) => {
    socket.on('message', (data, isBinary) => {
      const message = data as Buffer;
      const isOther = !isBinary && /^\["(AUTH|COVEY|NOTICE)/.test(message.toString('latin1', 0, 12));
      if (!isOther) bytes += message.length;
      if (!isBinary && message.toString('latin1', 0, 7) === '["EOSE"') resolve();
    });
    if (options) socket.send(JSON.stringify(['COVEY', { version: 1, ...options }]));
    socket.send(JSON.stringify(['REQ', 'feed', { kinds: [1, 7] }]));
  });
  socket.terminate();
  return bytes;
}

if (import.meta.main) await run(process.argv.slice(2));
