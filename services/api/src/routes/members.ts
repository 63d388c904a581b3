import { countMoves } from '@covey/moves';
import { Type } from '@sinclair/typebox';
import type { FastifyPluginAsync } from 'fastify';
import { EXTERNAL_MAX, ExternalAccounts } from '../external-accounts.ts';
import type { PlacementView } from '../placement-view.ts';
import { ProblemError } from '../problems.ts';
import {
  ExternalAccounts as ExternalAccountsDocument,
  type Member,
  Members,
  problemResponse,
} from '../schemas.ts';
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
  const external = context.origins && new ExternalAccounts(context.origins);
  return async (scope) => {
    scope.get<{ Params: { id: string }; Querystring: { limit: number } }>(
      '/members/:id/external',
      {
        schema: {
          tags: ['cluster'],
          summary: 'Accounts that a member is the master of and that write elsewhere',
          description:
            'From the relay lists (kind 10002) that the coordinator took in, not signed: what a member that mirrors looks for.',
          params: Type.Object({ id: Type.String({ description: 'The member’s public key' }) }),
          querystring: Type.Object({
            limit: Type.Integer({ minimum: 1, maximum: EXTERNAL_MAX, default: 1000 }),
          }),
          response: {
            200: ExternalAccountsDocument,
            400: problemResponse('A bad limit'),
            404: problemResponse('No such member'),
            503: problemResponse('No table, or no relay lists yet'),
          },
        },
      },
      async (request, reply) => {
        const view = context.view();
        const member = view.table.memberIndex(request.params.id);
        if (member === undefined)
          throw new ProblemError('not-found', 'No member of the current table has this id.');
        if (!external || !context.origins?.isKnown)
          throw new ProblemError('no-database', 'Relay lists were not read: the api needs DATABASE_URL.');
        reply.header('cache-control', 'public, max-age=60');
        return { epoch: view.epoch, accounts: external.of(view, member).slice(0, request.query.limit) };
      },
    );
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
