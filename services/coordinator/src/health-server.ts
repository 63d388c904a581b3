import { createServer, type IncomingMessage, type Server } from 'node:http';
import { ORDER_BYTES_MAX } from '@covey/protocol';
import type { Registry } from 'prom-client';
import type { OrderDesk } from './membership/order-desk.ts';

export interface HealthOptions {
  host: string;
  port: number;
  metrics: Registry;
  /** Why the service is not ready, or undefined when it is. */
  notReady: () => string | undefined;
  /** Takes signed orders. */
  desk: Pick<OrderDesk, 'challenge' | 'take'>;
}

/**
 * `/healthz` (the process answers), `/readyz` (it does its work, or says why not), `/metrics`, and `/v1/orders`: GET for a
 * challenge, POST for a signed order. To be put behind TLS for members of other operators.
 */
export async function serveHealth({ host, port, metrics, notReady, desk }: HealthOptions): Promise<Server> {
  const server = createServer(async (request, response) => {
    const path = request.url?.split('?')[0];
    const answer = (status: number, text: string, type = 'text/plain; charset=utf-8') =>
      response.writeHead(status, { 'content-type': type }).end(text);
    if (path === '/healthz') answer(200, 'ok\n');
    else if (path === '/readyz') {
      const reason = notReady();
      answer(reason ? 503 : 200, `${reason ?? 'ready'}\n`);
    } else if (path === '/metrics') answer(200, await metrics.metrics(), metrics.contentType);
    else if (path === '/v1/orders' && request.method === 'GET')
      answer(200, JSON.stringify(desk.challenge()), 'application/json');
    else if (path === '/v1/orders' && request.method === 'POST') {
      const body = await readBody(request);
      const { status, body: said } =
        body === undefined
          ? {
              status: 400,
              body: { ok: false, text: `an order is a JSON event of at most ${ORDER_BYTES_MAX} bytes` },
            }
          : await desk.take(body);
      if (!response.destroyed) answer(status, JSON.stringify(said), 'application/json');
    } else answer(404, 'here are /healthz, /readyz, /metrics and /v1/orders\n');
  });
  server.requestTimeout = 15_000;
  server.maxConnections = 100;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, resolve);
  });
  return server;
}

/** The JSON that was sent, or undefined when it is none or too long. */
async function readBody(request: IncomingMessage): Promise<unknown> {
  let text = '';
  try {
    for await (const part of request.setEncoding('utf8')) {
      text += part;
      if (text.length > ORDER_BYTES_MAX) return undefined;
    }
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
