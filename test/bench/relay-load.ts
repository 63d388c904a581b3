/** The load of relay.ts, in a process of its own: orders come by IPC, each is answered by one message. */
import { createHash, randomBytes } from 'node:crypto';
import { type NostrEvent, publicKeyOf, signEvent } from '@covey/nostr';
import WebSocket from 'ws';

export type LoadOrder =
  | { type: 'prepare'; events: number; authors: number }
  | { type: 'publish'; url: string; connections: number; inFlight: number; until: number }
  | { type: 'read'; url: string; connections: number; ms: number }
  | { type: 'idle'; url: string; connections: number }
  | { type: 'subscribe'; url: string; subscribers: number }
  | { type: 'fanout'; url: string; events: number }
  | { type: 'bytes'; url: string; batch: boolean }
  | { type: 'close' };

export interface LoadAnswer {
  count: number;
  seconds: number;
  /** What came over the sockets. */
  bytes: number;
}

let events: NostrEvent[] = [];
let keys: { secret: string; pubkey: string }[] = [];
let published = 0;
let open: WebSocket[] = [];

function makeEvents(count: number, authors: number): void {
  keys = Array.from({ length: authors }, (_, i) => {
    const secret = createHash('sha256').update(`bench ${i} ${process.pid}`).digest('hex');
    return { secret, pubkey: publicKeyOf(secret) };
  });
  const now = Math.floor(Date.now() / 1000);
  const words = 'birds of a feather flock together and sing along the relay at dawn'.split(' ');
  events = Array.from({ length: count }, (_, i) => {
    const { secret, pubkey } = keys[i % keys.length]!;
    const text = Array.from({ length: 20 }, (_, k) => words[(i * 7 + k * k) % words.length]).join(' ');
    const tags = [
      ['e', randomBytes(32).toString('hex')],
      ['p', keys[(i + 1) % keys.length]!.pubkey],
    ];
    return signEvent({ pubkey, created_at: now - count + i, kind: 1, tags, content: `${text} ${i}` }, secret);
  });
  published = 0;
}

async function connect(url: string, count: number): Promise<WebSocket[]> {
  const sockets: WebSocket[] = [];
  while (sockets.length < count) {
    const some = Array.from({ length: Math.min(50, count - sockets.length) }, () => {
      const socket = new WebSocket(url, { perMessageDeflate: false });
      return new Promise<WebSocket>((resolve, reject) => {
        socket.once('open', () => resolve(socket));
        socket.once('error', reject);
      });
    });
    sockets.push(...(await Promise.all(some)));
  }
  return sockets;
}

const bytesIn = (sockets: readonly WebSocket[]): number =>
  sockets.reduce(
    (sum, socket) => sum + (socket as unknown as { _socket: { bytesRead: number } })._socket.bytesRead,
    0,
  );

/** Hands out events `until` so many are published, a number in flight on each connection. */
async function publish(
  url: string,
  connections: number,
  inFlight: number,
  until: number,
): Promise<LoadAnswer> {
  const sockets = await connect(url, connections);
  const start = performance.now();
  let count = 0;
  await Promise.all(
    sockets.map(
      (socket) =>
        new Promise<void>((resolve, reject) => {
          let waiting = 0;
          const next = () => {
            while (waiting < inFlight && published < until) {
              waiting++;
              socket.send(JSON.stringify(['EVENT', events[published++]]));
            }
            if (waiting === 0) resolve();
          };
          socket.on('message', (data) => {
            const text = data.toString();
            if (text.startsWith('["NOTICE"')) reject(new Error(text));
            if (!text.startsWith('["OK"')) return;
            if (JSON.parse(text)[2] !== true) reject(new Error(text));
            count++;
            waiting--;
            next();
          });
          next();
        }),
    ),
  );
  const seconds = (performance.now() - start) / 1000;
  for (const socket of sockets) socket.terminate();
  return { count, seconds, bytes: 0 };
}

/** REQs of limit 100 over ten authors each, one after the other on each connection. */
async function read(url: string, connections: number, ms: number): Promise<LoadAnswer> {
  const sockets = await connect(url, connections);
  const start = performance.now();
  let count = 0;
  let asked = 0;
  await Promise.all(
    sockets.map(
      (socket) =>
        new Promise<void>((resolve) => {
          const ask = () => {
            if (performance.now() - start > ms) return resolve();
            const at = (asked++ * 13) % keys.length;
            const authors = Array.from({ length: 10 }, (_, i) => keys[(at + i) % keys.length]!.pubkey);
            socket.send(JSON.stringify(['REQ', 'r', { authors, kinds: [1], limit: 100 }]));
          };
          socket.on('message', (data: Buffer) => {
            // The third letter tells EVENT from EOSE.
            if (data[3] === 0x56) count++;
            else if (data[3] === 0x4f) ask();
          });
          ask();
        }),
    ),
  );
  const seconds = (performance.now() - start) / 1000;
  const bytes = bytesIn(sockets);
  for (const socket of sockets) socket.terminate();
  return { count, seconds, bytes };
}

/** Many subscribers of new events; settles when all have their EOSE. */
async function subscribe(url: string, subscribers: number): Promise<LoadAnswer> {
  open = await connect(url, subscribers);
  let ready = 0;
  await new Promise<void>((resolve) => {
    for (const socket of open) {
      socket.on('message', (data: Buffer) => {
        if (data[3] === 0x56) onEvent();
        else if (data[3] === 0x4f && ++ready === subscribers) resolve();
      });
      socket.send(
        JSON.stringify(['REQ', 's', { kinds: [1], since: Math.floor(Date.now() / 1000) - 86_400, limit: 1 }]),
      );
    }
  });
  return { count: ready, seconds: 0, bytes: 0 };
}

let onEvent = () => {};

/** New events to all who subscribed; every copy is waited for. */
async function fanout(url: string, count: number): Promise<LoadAnswer> {
  const [writer] = await connect(url, 1);
  const before = bytesIn(open);
  let got = 0;
  const start = performance.now();
  const all = new Promise<void>((resolve) => {
    onEvent = () => {
      if (++got === open.length * count) resolve();
    };
  });
  for (let i = 0; i < count; i++) writer!.send(JSON.stringify(['EVENT', events[published++]]));
  await all;
  const seconds = (performance.now() - start) / 1000;
  onEvent = () => {};
  const bytes = bytesIn(open) - before;
  writer!.terminate();
  return { count: got, seconds, bytes };
}

/** 1,000 stored events of many authors: what comes over the wire for them. */
async function bytes(url: string, batch: boolean): Promise<LoadAnswer> {
  const [socket] = await connect(url, 1);
  if (batch) socket!.send(JSON.stringify(['COVEY', { version: 1, batch: 50, compress: 'deflate-raw' }]));
  const before = bytesIn([socket!]);
  let ended = () => {};
  const end = new Promise<void>((resolve) => {
    ended = resolve;
  });
  socket!.on('message', (data: Buffer, isBinary: boolean) => {
    if (!isBinary && data.toString().startsWith('["EOSE"')) ended();
  });
  const start = performance.now();
  socket!.send(JSON.stringify(['REQ', 'b', { kinds: [1], limit: 1000 }]));
  await end;
  const read = bytesIn([socket!]) - before;
  socket!.terminate();
  return { count: 1000, seconds: (performance.now() - start) / 1000, bytes: read };
}

async function carryOut(order: LoadOrder): Promise<LoadAnswer> {
  const nothing = { count: 0, seconds: 0, bytes: 0 };
  switch (order.type) {
    case 'prepare':
      makeEvents(order.events, order.authors);
      return nothing;
    case 'publish':
      return await publish(order.url, order.connections, order.inFlight, order.until);
    case 'read':
      return await read(order.url, order.connections, order.ms);
    case 'subscribe':
      return await subscribe(order.url, order.subscribers);
    case 'fanout':
      return await fanout(order.url, order.events);
    case 'bytes':
      return await bytes(order.url, order.batch);
    case 'idle':
      open = await connect(order.url, order.connections);
      return { ...nothing, count: open.length };
    case 'close':
      for (const socket of open) socket.terminate();
      open = [];
      published = 0;
      return nothing;
  }
}

process.on('message', (order: LoadOrder) => {
  carryOut(order).then(
    (answer) => process.send?.(answer),
    (error) => process.send?.({ error: String(error) }),
  );
});
process.on('disconnect', () => process.exit());
