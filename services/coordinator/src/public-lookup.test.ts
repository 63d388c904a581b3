import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { test } from 'node:test';
import WebSocket from 'ws';
import { PrivateAddressError, publicLookup } from './public-lookup.ts';

test('a name that leads into a private network is refused by the connection itself', async () => {
  const error = await new Promise<unknown>((resolve) => {
    connect({ host: 'localhost', port: 9, lookup: publicLookup }).on('error', resolve);
  });
  assert.ok(error instanceof PrivateAddressError, String(error));
  assert.match(error.message, /private network/);
});

test('a WebSocket uses it, and says why', async () => {
  const error = await new Promise<unknown>((resolve) => {
    new WebSocket('ws://localhost:9', { lookup: publicLookup }).on('error', resolve);
  });
  assert.ok(error instanceof PrivateAddressError, String(error));
});
