import type { Logger } from '@covey/log';
import type { CurrentTable } from '@covey/nats';
import { fastifySwagger } from '@fastify/swagger';
import { fastifySwaggerUi } from '@fastify/swagger-ui';
import fastify, { type FastifyInstance, type FastifyReply } from 'fastify';
import type { AccountOrigins } from './account-origins.ts';
import type { ClusterReader } from './cluster-reader.ts';
import { MemberPrices } from './member-prices.ts';
import type { MemberStates } from './member-states.ts';
import { ApiMetrics } from './metrics.ts';
import { PlacementView } from './placement-view.ts';
import { BODY_BYTES_MAX, noTable, PROBLEM_TYPE, PROBLEMS, problemDocument, problemOf } from './problems.ts';
import { adminRoutes } from './routes/admin.ts';
import { dashboardRoutes } from './routes/dashboard.ts';
import { epochRoutes } from './routes/epochs.ts';
import { healthRoutes } from './routes/health.ts';
import { memberRoutes } from './routes/members.ts';
import { placementRoutes } from './routes/placements.ts';
import { planRoutes } from './routes/plans.ts';
import { priceRoutes } from './routes/prices.ts';
import { statusRoutes } from './routes/status.ts';
import { tableRoutes } from './routes/table.ts';
import type { TableSource } from './table-source.ts';

export interface ApiServerOptions {
  cluster: string;
  source: TableSource;
  states: MemberStates;
  /** Where accounts write themselves; without it plans do not tell. */
  origins?: AccountOrigins | undefined;
  /** The prices of the reader's rule; all equal where left out. */
  prices?: MemberPrices | undefined;
  /** Absent when no database is configured: what needs one answers 503, the rest is not affected. */
  reader?: ClusterReader | undefined;
  /** Whether heartbeats and epochs are meant to come over NATS. */
  natsConfigured: boolean;
  /** Opens /v1/admin. The caller makes sure that the listener is on loopback. */
  admin: boolean;
  /** Folder with the built dashboard. */
  dashboardDir: string;
  log: Pick<Logger, 'error' | 'info' | 'warn'>;
}

/** What a route needs: the options, and the view of the current epoch. */
export interface RouteContext extends ApiServerOptions {
  prices: MemberPrices;
  metrics: ApiMetrics;
  /** The current epoch, or undefined. */
  peek(): PlacementView | undefined;
  /** The current epoch. @throws ProblemError `no-table` */
  view(): PlacementView;
}

/** The HTTP server: public routes under /v1 with CORS, admin routes without, OpenAPI, health, metrics, dashboard. */
export class ApiServer {
  readonly http: FastifyInstance;
  readonly #stopFollowing: () => void;

  constructor(options: ApiServerOptions) {
    let current: PlacementView | undefined;
    const context: RouteContext = {
      ...options,
      prices: options.prices ?? new MemberPrices(options.states),
      metrics: new ApiMetrics(options.states, () => current),
      peek: () => current,
      view: () => {
        if (!current) throw noTable();
        return current;
      },
    };
    let table: CurrentTable | undefined;
    const renew = () => {
      if (table) current = new PlacementView(table, options.states.verdicts());
    };
    const stopTable = options.source.onTable((next) => {
      table = next;
      renew();
    });
    const stopVerdicts = options.states.onVerdicts(renew);
    this.#stopFollowing = () => {
      stopTable();
      stopVerdicts();
    };
    this.http = build(context);
  }

  async listen({ host, port }: { host: string; port: number }): Promise<string> {
    return await this.http.listen({ host, port });
  }

  async close(): Promise<void> {
    this.#stopFollowing();
    await this.http.close();
  }
}

function build(context: RouteContext): FastifyInstance {
  const http = fastify({
    // Requests are not logged: whom a client looks up is nobody's business. Failures are, without their URL.
    logger: false,
    bodyLimit: BODY_BYTES_MAX,
    requestTimeout: 60_000,
    keepAliveTimeout: 60_000,
    forceCloseConnections: true,
    routerOptions: { maxParamLength: 1_100 },
    frameworkErrors: (error, _request, reply) => void sendProblem(context, error, reply as FastifyReply),
    clientErrorHandler: (_error, socket) => {
      if (!socket.writable) return;
      const body = JSON.stringify(
        problemDocument('bad-request', 'The HTTP request is malformed or came too slowly.'),
      );
      socket.end(
        `HTTP/1.1 400 Bad Request\r\ncontent-type: ${PROBLEM_TYPE}\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
      );
    },
  });
  http.removeContentTypeParser('text/plain');
  http.setErrorHandler((error, _request, reply) => sendProblem(context, error, reply));
  http.setNotFoundHandler((request, reply) => {
    const { kind, detail } = {
      kind: 'not-found' as const,
      detail: `There is no ${request.method} route at this address. GET /docs lists all routes, GET /openapi.json describes them.`,
    };
    return reply
      .code(404)
      .type(PROBLEM_TYPE)
      .send(JSON.stringify(problemDocument(kind, detail)));
  });
  context.metrics.watch(http);

  http.register(fastifySwagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Covey',
        version: '1',
        description:
          'Where Nostr accounts live in this cluster of relays, and which relays a client opens to read a list of accounts. Errors are RFC 9457 problem documents.',
      },
      tags: [
        { name: 'placement', description: 'Where accounts live, and what to open' },
        { name: 'cluster', description: 'Epochs, table and members' },
        { name: 'admin', description: 'On loopback only, and only when the operator opened it' },
        { name: 'operation', description: 'Health and metrics' },
      ],
    },
  });
  http.register(fastifySwaggerUi, { routePrefix: '/docs', staticCSP: true, uiConfig: { deepLinking: true } });
  http.register(async (scope) => {
    scope.get('/openapi.json', { schema: { hide: true } }, async () => http.swagger());
    scope.register(publicRoutes(context));
    scope.register(adminRoutes(context), { prefix: '/v1/admin' });
    scope.register(healthRoutes(context));
    scope.register(dashboardRoutes(context));
  });
  return http;
}

/** Browser clients of any origin may use these; they tell nothing that is not public, and change nothing. */
function publicRoutes(context: RouteContext) {
  return async (scope: FastifyInstance): Promise<void> => {
    scope.addHook('onRequest', (_request, reply, done) => {
      reply.header('access-control-allow-origin', '*');
      done();
    });
    for (const routes of [
      statusRoutes,
      placementRoutes,
      planRoutes,
      priceRoutes,
      tableRoutes,
      epochRoutes,
      memberRoutes,
    ])
      scope.register(routes(context), { prefix: '/v1' });
    scope.options('/v1/*', { schema: { hide: true } }, (request, reply) => {
      if (request.url.startsWith('/v1/admin')) return reply.callNotFound();
      return reply
        .code(204)
        .header('access-control-allow-methods', 'GET, HEAD, POST, OPTIONS')
        .header('access-control-allow-headers', 'content-type, if-none-match')
        .header('access-control-max-age', '86400')
        .send();
    });
  };
}

function sendProblem({ log }: RouteContext, error: unknown, reply: FastifyReply): FastifyReply {
  const { kind, detail, retryAfterSeconds } = problemOf(error);
  if (kind === 'internal') log.error({ err: error }, 'a request failed');
  if (retryAfterSeconds)
    reply
      .header('retry-after', String(retryAfterSeconds))
      .header('access-control-expose-headers', 'retry-after');
  return reply
    .code(PROBLEMS[kind].status)
    .header('content-type', PROBLEM_TYPE)
    .send(JSON.stringify(problemDocument(kind, detail)));
}
