import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fastifyStatic } from '@fastify/static';
import type { FastifyPluginAsync } from 'fastify';
import type { RouteContext } from '../server.ts';

/** Nothing from elsewhere, no inline script, never in a frame. Styles: sigma sets some on its elements by script. */
const CSP =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const NOT_BUILT = `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Covey: dashboard not built</title>
<h1>The dashboard is not built</h1><p>Run <code>npm run build --workspace @covey/dashboard</code> in the checkout and reload this page. The API itself works: see <a href="/docs">/docs</a>.</p></html>`;

/** The dashboard at /, from its build. Names of built assets carry a hash, so they may be kept for ever. */
export function dashboardRoutes({ dashboardDir }: RouteContext): FastifyPluginAsync {
  return async (scope) => {
    scope.addHook('onSend', async (_request, reply) => {
      reply.header('content-security-policy', CSP);
      reply.header('x-content-type-options', 'nosniff');
      reply.header('referrer-policy', 'no-referrer');
    });
    if (!existsSync(join(dashboardDir, 'index.html'))) {
      scope.get('/', { schema: { hide: true } }, async (_request, reply) =>
        reply.code(503).type('text/html; charset=utf-8').send(NOT_BUILT),
      );
      return;
    }
    await scope.register(fastifyStatic, {
      root: dashboardDir,
      wildcard: false,
      schemaHide: true,
      cacheControl: false,
      setHeaders: (reply, path) => {
        const hashed = path.includes(`${join(dashboardDir, 'assets')}`);
        reply.header('cache-control', hashed ? 'public, max-age=31536000, immutable' : 'no-cache');
      },
    });
  };
}
