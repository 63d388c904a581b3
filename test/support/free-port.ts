import { createServer } from 'node:net';

/** Below the range that Linux takes the ports of outgoing connections from (32768 and up), so that none of those is in the way. */
const FIRST = 12_000;
const COUNT = 20_000;

// Test files run side by side, each in a process of its own: each begins somewhere else, and gives no port twice.
let next = Math.floor(Math.random() * COUNT);

/** A port of 127.0.0.1 that nobody listens on, and that no connection will take by chance. */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < COUNT; tries++) {
    const port = FIRST + (next++ % COUNT);
    if (await isFree(port)) return port;
  }
  throw new Error(`no port from ${FIRST} to ${FIRST + COUNT - 1} is free`);
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(port, '127.0.0.1', resolve);
    });
    await new Promise((resolve) => server.close(resolve));
    return true;
  } catch {
    return false;
  }
}
