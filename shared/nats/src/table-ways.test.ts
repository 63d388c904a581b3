import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { getOverHttp } from './table-ways.ts';

describe('a table over HTTP', () => {
  const PIECES = 8;
  const server = createServer(({ url }, response) => {
    if (url === '/silent') return; // taken, and never answered: its process stands still
    response.writeHead(url === '/none' ? 404 : 200);
    if (url === '/stops') {
      response.write('begun');
      return;
    }
    let pieces = PIECES;
    const next = () => (pieces-- > 0 ? response.write('x') && setTimeout(next, 60) : response.end());
    next();
  });
  const get = (path: string, bytesMax = 1000, silentMs = 300) =>
    getOverHttp(
      `http://127.0.0.1:${(server.address() as AddressInfo).port}${path}`,
      bytesMax,
      60_000,
      undefined,
      silentMs,
    );

  before(async () => await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve)));
  after(() => {
    server.closeAllConnections();
    server.close();
  });

  it('a peer that says nothing is given up, before or in the middle of its answer', async () => {
    await assert.rejects(get('/silent'), /nothing came for 0\.3 s/);
    await assert.rejects(get('/stops'), /nothing came for 0\.3 s/);
  });

  it('a slow one is waited for, in bounds', async () => {
    assert.equal((await get('/slow'))?.length, PIECES);
    await assert.rejects(get('/slow', 3), /more than 3 bytes/);
    assert.equal(await get('/none'), undefined);
  });
});
