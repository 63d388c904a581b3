import { Type } from '@sinclair/typebox';
import type { FastifyPluginAsync } from 'fastify';
import { problemResponse } from '../schemas.ts';
import type { RouteContext } from '../server.ts';

/** /healthz: the process answers. /readyz: it has a table to answer from. /metrics for Prometheus. */
export function healthRoutes(context: RouteContext): FastifyPluginAsync {
  return async (scope) => {
    scope.get(
      '/healthz',
      {
        schema: {
          tags: ['operation'],
          summary: 'The process answers',
          response: { 200: Type.Object({ ok: Type.Boolean() }) },
        },
      },
      async () => ({ ok: true }),
    );
    scope.get(
      '/readyz',
      {
        schema: {
          tags: ['operation'],
          summary: 'There is a table to answer from',
          response: {
            200: Type.Object({ ready: Type.Boolean(), epoch: Type.Integer() }),
            503: problemResponse('No table yet'),
          },
        },
      },
      async () => ({ ready: true, epoch: context.view().epoch }),
    );
    scope.get(
      '/metrics',
      { schema: { tags: ['operation'], summary: 'Prometheus metrics', response: { 200: Type.String() } } },
      async (_request, reply) => {
        const { registry } = context.metrics;
        reply.header('content-type', registry.contentType);
        return await registry.metrics();
      },
    );
  };
}
