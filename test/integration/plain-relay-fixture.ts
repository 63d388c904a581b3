import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import WebSocket, { WebSocketServer } from 'ws';
import { TestCluster } from './relay-fixture.ts';

/** Requests and events that a relay got, as frames. */
export interface PlainRelayProcess {
  url: string;
  received: unknown[][];
  stop(): Promise<void>;
}

/**
 * A relay that knows nothing of Covey: the reference relay alone, behind a proxy that takes away what is Covey's own, in its
 * information document and on the wire. @param answersUnknown whether it says NOTICE to what it does not know
 */
export async function startPlainRelay(answersUnknown = true): Promise<PlainRelayProcess> {
  const relay = await TestCluster.make(1);
  await relay.startAll();
  const inner = relay.members[0]!.url;
  const received: unknown[][] = [];
  const server = createServer(async (_request, response) => {
    const document = await fetch(inner.replace('ws', 'http'), {
      headers: { accept: 'application/nostr+json' },
    });
    const { covey: _, ...plain } = (await document.json()) as Record<string, unknown>;
    response.end(JSON.stringify({ ...plain, limitation: { max_subscriptions: 4 } }));
  });
  const sockets = new WebSocketServer({ server });
  sockets.on('connection', (client) => {
    const upstream = new WebSocket(inner);
    const waiting: string[] = [];
    upstream.on('open', () => {
      for (const text of waiting.splice(0)) upstream.send(text);
    });
    client.on('message', (data) => {
      const frame = JSON.parse(data.toString());
      received.push(frame);
      if (String(frame[0]).startsWith('COVEY'))
        return answersUnknown ? client.send('["NOTICE","unknown command"]') : undefined;
      if (upstream.readyState === WebSocket.OPEN) upstream.send(data.toString());
      else waiting.push(data.toString());
    });
    upstream.on('message', (data) => client.send(data.toString()));
    client.on('close', () => upstream.terminate());
    upstream.on('close', () => client.terminate());
    for (const side of [client, upstream]) side.on('error', () => {});
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}`,
    received,
    async stop() {
      for (const client of sockets.clients) client.terminate();
      await new Promise((resolve) => server.close(resolve));
      await relay.stop();
    },
  };
}
