import { Type } from '@sinclair/typebox';
import type { FastifyPluginAsync } from 'fastify';
import { needReader } from '../need-reader.ts';
import { ProblemError } from '../problems.ts';
import { Epochs, problemResponse } from '../schemas.ts';
import type { RouteContext } from '../server.ts';

const LIMIT_MAX = 200;

/** GET /v1/epochs: the history, from the database; without one, the current epoch by its manifest, and why. */
export function epochRoutes(context: RouteContext): FastifyPluginAsync {
  return async (scope) => {
    scope.get<{ Querystring: { limit: number; before?: number } }>(
      '/epochs',
      {
        schema: {
          tags: ['cluster'],
          summary: 'Epochs, newest first',
          querystring: Type.Object({
            limit: Type.Integer({ minimum: 1, maximum: LIMIT_MAX, default: 20 }),
            before: Type.Optional(Type.Integer({ minimum: 1, description: 'Only epochs before this one' })),
          }),
          response: {
            200: Epochs,
            400: problemResponse('A bad limit'),
            503: problemResponse('No table and no database'),
          },
        },
      },
      async (request, reply): Promise<Epochs> => {
        const { limit, before } = request.query;
        reply.header('cache-control', 'no-cache');
        try {
          const rows = await needReader(context.reader, 'Only the current epoch is listed.', (reader) =>
            reader.epochs({ before, limit: limit + 1 }),
          );
          const epochs = rows.slice(0, limit);
          return { epochs, next: rows.length > limit ? epochs.at(-1)!.epoch : null };
        } catch (error) {
          if (!(error instanceof ProblemError)) throw error;
          return { ...currentEpoch(context, before), partial: error.message };
        }
      },
    );
  };
}

function currentEpoch(context: RouteContext, before: number | undefined): Epochs {
  const { manifest, event, table } = context.view().current;
  if (before !== undefined && manifest.epoch >= before) return { epochs: [], next: null };
  const { epoch, root, createdAt, counts } = manifest;
  const row = {
    epoch,
    createdAt: new Date(createdAt * 1000).toISOString(),
    root,
    accounts: table.accounts,
    groups: counts.groups,
    moved: counts.moved,
    manifestId: event.id,
  };
  return { epochs: [row], next: null };
}
