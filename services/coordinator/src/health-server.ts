import { createServer, type Server } from 'node:http';
import type { Registry } from 'prom-client';

export interface HealthOptions {
  host: string;
  port: number;
  metrics: Registry;
  /** Why the service is not ready, or undefined when it is. */
  notReady: () => string | undefined;
}

/** `/healthz` (the process answers), `/readyz` (it does its work, or says why not) and `/metrics`, and nothing else. */
export async function serveHealth({ host, port, metrics, notReady }: HealthOptions): Promise<Server> {
  const server = createServer(async (request, response) => {
    const path = request.url?.split('?')[0];
    const answer = (status: number, text: string, type = 'text/plain; charset=utf-8') =>
      response.writeHead(status, { 'content-type': type }).end(text);
    if (path === '/healthz') answer(200, 'ok\n');
    else if (path === '/readyz') {
      const reason = notReady();
      answer(reason ? 503 : 200, `${reason ?? 'ready'}\n`);
    } else if (path === '/metrics') answer(200, await metrics.metrics(), metrics.contentType);
    else answer(404, 'here are /healthz, /readyz and /metrics\n');
  });
  server.requestTimeout = 5_000;
  server.maxConnections = 100;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, resolve);
  });
  return server;
}
