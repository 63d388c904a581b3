/**
 * nostr-relay from npm with its SQLite store, as its documentation puts it together, on a free port: the yardstick of the
 * relay's benchmark. `node nostr-relay.mjs <folder with node_modules> <database file>`; prints {"port":n}.
 */
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { join } from 'node:path';

const [dir, file] = process.argv.slice(2);
const require = createRequire(join(dir, 'package.json'));
const { NostrRelay } = require('@nostr-relay/core');
const { EventRepositorySqlite } = require('@nostr-relay/event-repository-sqlite');
const { Validator } = require('@nostr-relay/validator');
const { WebSocketServer } = require('ws');

const repository = new EventRepositorySqlite(file);
await repository.init();
const relay = new NostrRelay(repository);
const validator = new Validator();
const server = createServer((_request, response) => {
  response.setHeader('content-type', 'application/nostr+json');
  response.setHeader('access-control-allow-origin', '*');
  // It has no information document of its own: these are the NIPs that its documentation names and the suite knows.
  response.end(JSON.stringify({ name: '@nostr-relay/core', supported_nips: [1, 2, 9, 40, 50] }));
});
new WebSocketServer({ server }).on('connection', (socket) => {
  relay.handleConnection(socket);
  socket.on('message', async (data) => {
    try {
      await relay.handleMessage(socket, await validator.validateIncomingMessage(data));
    } catch (error) {
      socket.send(JSON.stringify(['NOTICE', error.message]));
    }
  });
  socket.on('close', () => relay.handleDisconnect(socket));
  socket.on('error', () => socket.terminate());
});
server.listen(0, '127.0.0.1', () => console.log(JSON.stringify({ port: server.address().port })));
process.stdin.on('end', () => process.exit()).resume();
