import { countMoves } from '@covey/moves';
import type { FastifyPluginAsync } from 'fastify';
import { Status } from '../schemas.ts';
import type { RouteContext } from '../server.ts';
import { memberDocuments } from './members.ts';

/** GET /v1/status: answers always; `ready` says whether there is a table. */
export function statusRoutes(context: RouteContext): FastifyPluginAsync {
  return async (scope) => {
    scope.get(
      '/status',
      { schema: { tags: ['cluster'], summary: 'The cluster at a glance', response: { 200: Status } } },
      async (_request, reply): Promise<Status> => {
        reply.header('cache-control', 'no-cache');
        const { cluster, admin, natsConfigured, states } = context;
        const common = {
          cluster,
          admin,
          nats: !natsConfigured
            ? ('unset' as const)
            : states.isListening
              ? ('connected' as const)
              : ('away' as const),
        };
        const view = context.peek();
        if (!view) return { ready: false, ...common, ...NOTHING };
        const { manifest, table } = view.current;
        return {
          ready: true,
          ...common,
          epoch: manifest.epoch,
          createdAt: new Date(manifest.createdAt * 1000).toISOString(),
          root: manifest.root,
          accounts: table.accounts,
          follows: manifest.counts.follows,
          communities: manifest.counts.communities,
          groups: manifest.counts.groups,
          moved: manifest.counts.moved,
          moves: table.moves().length,
          movesByPhase: countMoves(table).byPhase,
          members: memberDocuments(context, view),
        };
      },
    );
  };
}

const NOTHING = {
  epoch: 0,
  createdAt: null,
  root: null,
  accounts: 0,
  follows: 0,
  communities: 0,
  groups: 0,
  moved: 0,
  moves: 0,
  movesByPhase: { 'write-both-read-old': 0, copy: 0, 'write-both-read-new': 0, 'clean-up': 0 },
  members: [],
};
