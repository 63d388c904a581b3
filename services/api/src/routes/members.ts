import { countMoves } from '@covey/moves';
import type { FastifyPluginAsync } from 'fastify';
import type { PlacementView } from '../placement-view.ts';
import { type Member, Members, problemResponse } from '../schemas.ts';
import type { RouteContext } from '../server.ts';

/** Members in the table's order: what the table says of them, what they hold, what they said of themselves. */
export function memberDocuments({ states }: RouteContext, view: PlacementView): Member[] {
  const moving = new Map(countMoves(view.table).members.map((member) => [member.id, member]));
  return view.table.members.map(({ id, url, name, operator, capacity, state }, i) => ({
    id,
    url,
    name,
    operator,
    placement: state,
    ...states.report(id),
    capacity,
    ...view.holdings[i]!,
    incoming: moving.get(id)?.incoming ?? 0,
    outgoing: moving.get(id)?.outgoing ?? 0,
  }));
}

/** GET /v1/members */
export function memberRoutes(context: RouteContext): FastifyPluginAsync {
  return async (scope) => {
    scope.get(
      '/members',
      {
        schema: {
          tags: ['cluster'],
          summary: 'The relays of the cluster: state, load, what they hold',
          response: { 200: Members, 503: problemResponse('No table yet') },
        },
      },
      async (_request, reply) => {
        const view = context.view();
        reply.header('cache-control', 'no-cache');
        return { epoch: view.epoch, members: memberDocuments(context, view) };
      },
    );
  };
}
