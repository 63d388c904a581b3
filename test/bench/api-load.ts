import { connect } from 'node:net';
import type { LoadOrder } from './api.ts';

/** The load of api.ts: a request at a time on each of some keep-alive connections, over plain sockets (a client that parses costs more than the server). */

const HEAD_END = Buffer.from('\r\n\r\n');

process.on('message', (order: LoadOrder) => {
  drive(order).then(
    (perSecond) => process.send!({ perSecond }),
    (error) => process.send!({ error: String(error) }),
  );
});
process.on('disconnect', () => process.exit());

async function drive({ port, connections, ms, requests }: LoadOrder): Promise<number> {
  const started = performance.now();
  const counts = await Promise.all(
    Array.from({ length: connections }, (_, i) => converse(port, requests, i * 31, started + ms)),
  );
  return (counts.reduce((sum, count) => sum + count, 0) * 1000) / (performance.now() - started);
}

function converse(port: number, requests: string[], first: number, until: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const frames = requests.map((request) => Buffer.from(request));
    const socket = connect({ host: '127.0.0.1', port, noDelay: true });
    let answers = 0;
    let held: Buffer = Buffer.alloc(0);
    const send = () => socket.write(frames[(first + answers) % frames.length]!);
    socket.on('connect', send);
    socket.on('error', reject);
    socket.on('data', (chunk) => {
      held = held.length === 0 ? chunk : Buffer.concat([held, chunk]);
      const length = answerLength(held);
      if (length === undefined || held.length < length) return;
      if (held.subarray(9, 12).toString('latin1') !== '200')
        return reject(new Error(held.toString().slice(0, 300)));
      held = Buffer.alloc(0);
      answers++;
      if (performance.now() < until) return void send();
      socket.destroy();
      resolve(answers);
    });
  });
}

/** Bytes of the whole answer, or undefined while its head is not there. */
function answerLength(bytes: Buffer): number | undefined {
  const end = bytes.indexOf(HEAD_END);
  if (end < 0) return undefined;
  const length = /content-length: (\d+)/i.exec(bytes.toString('latin1', 0, end));
  return length ? end + 4 + Number(length[1]) : undefined;
}
