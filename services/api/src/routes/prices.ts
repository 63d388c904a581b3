import { PRICE_ONE } from '@covey/placement';
import type { FastifyPluginAsync } from 'fastify';
import { Prices, problemResponse } from '../schemas.ts';
import type { RouteContext } from '../server.ts';

/** GET /v1/prices: for clients that plan by themselves, in the order of the table's members. */
export function priceRoutes({ prices, view }: RouteContext): FastifyPluginAsync {
  return async (scope) => {
    scope.get(
      '/prices',
      {
        schema: {
          tags: ['placement'],
          summary: 'What members ask of readers, by the reader’s rule',
          description:
            'Among relays of equal gain a reader opens the one of the least open × −ln(hash(reader, relay)), and reads an account from its open holder of the least read × −ln(hash′(reader, relay)): shared/protocol has the rule and its vectors. Prices follow members’ loads and move every ten minutes at most.',
          response: { 200: Prices, 503: problemResponse('No table yet') },
        },
      },
      async (_request, reply) => {
        const { epoch, table } = view();
        reply.header('cache-control', 'public, max-age=60');
        return { epoch, unit: PRICE_ONE, members: table.members.map(({ id }) => prices.of(id)) };
      },
    );
  };
}
