/** The `ws` package with handlers that do nothing, on a free port: what a connection costs at least. Prints {"port":n}. */
import { createServer } from 'node:http';
import { WebSocketServer } from 'ws';

const server = createServer();
new WebSocketServer({ server, perMessageDeflate: false }).on('connection', (socket) => {
  socket.on('message', () => {});
  socket.on('error', () => socket.terminate());
});
server.listen(0, '127.0.0.1', () => console.log(JSON.stringify({ port: server.address().port })));
process.stdin.on('end', () => process.exit()).resume();
