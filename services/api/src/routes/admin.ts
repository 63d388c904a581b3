import { InvalidKeyError, npubEncode, parsePubkey } from '@covey/nostr';
import { Type } from '@sinclair/typebox';
import type { FastifyPluginAsync, FastifyRequest } from 'fastify';
import type { CommunityReport, EpochReport } from '../cluster-reader.ts';
import { isFresh } from '../etag.ts';
import { explainAccount } from '../explain-account.ts';
import { needReader } from '../need-reader.ts';
import { ProblemError } from '../problems.ts';
import {
  AdminAccount,
  AdminAuthority,
  AdminCommunities,
  AdminCommunity,
  AdminEpoch,
  AdminGraph,
  problemResponse,
} from '../schemas.ts';
import type { RouteContext } from '../server.ts';

interface Report {
  epoch: number;
  report: EpochReport;
}

const failures = {
  304: Type.Null({ description: 'Not changed' }),
  403: problemResponse('Not open here'),
  404: problemResponse('No report, or no such community'),
  503: problemResponse('No table yet, or no database'),
};

/**
 * /v1/admin: communities of real accounts, who is in them, what the epoch moved. Only where the operator opened it, and
 * only to requests that name this machine: a page of another site that has its name point to loopback (DNS rebinding)
 * would otherwise be let in. No CORS.
 */
export function adminRoutes(context: RouteContext): FastifyPluginAsync {
  const reports = new ReportCache(context);
  return async (scope) => {
    scope.addHook('onRequest', (request, _reply, done) => {
      if (!context.admin)
        return done(
          new ProblemError(
            'admin-closed',
            'Communities are shown to admins only. On the machine itself, start the API with COVEY_ADMIN=open on a loopback address.',
          ),
        );
      if (!namesLoopback(request))
        return done(
          new ProblemError('admin-closed', 'Open this page as http://127.0.0.1 or http://localhost.'),
        );
      done();
    });
    scope.get<{ Querystring: { limit: number } }>(
      '/authority',
      {
        schema: {
          tags: ['admin'],
          summary: 'Who is, was or wants to be a member, who leads, what is paused, and who did what lately',
          querystring: Type.Object({ limit: Type.Integer({ minimum: 1, maximum: 200, default: 50 }) }),
          response: { 200: AdminAuthority, ...failures },
        },
      },
      async (request, reply) => {
        reply.header('cache-control', 'private, no-cache');
        return await needReader(context.reader, 'Ask again when it is back.', (reader) =>
          reader.authority(request.query.limit),
        );
      },
    );
    scope.get(
      '/epoch',
      {
        schema: {
          tags: ['admin'],
          summary: 'What the newest reported epoch moved, and its figures',
          response: { 200: AdminEpoch, ...failures },
        },
      },
      async (request, reply) => {
        const found = await reports.newest();
        if (isFresh(request, reply, `epoch-${found.epoch}`, 'private')) return reply.code(304).send();
        return epochDocument(found);
      },
    );
    scope.get<{ Params: { epoch: number } }>(
      '/epochs/:epoch',
      {
        schema: {
          tags: ['admin'],
          summary: 'What an epoch moved and why, and its figures; the last eight are kept',
          params: Type.Object({ epoch: Type.Integer({ minimum: 1 }) }),
          response: { 200: AdminEpoch, 400: problemResponse('Not an epoch'), ...failures },
        },
      },
      async (request, reply) => {
        const { epoch } = request.params;
        const found = await needReader(context.reader, 'Reports come from it.', (reader) =>
          reader.report(epoch),
        );
        if (found?.epoch !== epoch)
          throw new ProblemError(
            'not-found',
            found
              ? `Epoch ${epoch} has no report: it went on with the placement of epoch ${found.epoch}, or does not exist. GET /v1/epochs lists them.`
              : `The report of epoch ${epoch} is no longer kept.`,
          );
        if (isFresh(request, reply, `epoch-${epoch}`, 'private')) return reply.code(304).send();
        return epochDocument(found);
      },
    );
    scope.get<{ Params: { key: string } }>(
      '/accounts/:key',
      {
        schema: {
          tags: ['admin'],
          summary: 'Why an account lives where it does: its readers, pins, and what other places would cost',
          params: Type.Object({ key: Type.String({ description: 'npub, nprofile or 64 hex digits' }) }),
          response: { 200: AdminAccount, 400: problemResponse('Not a public key'), ...failures },
        },
      },
      async (request, reply) => {
        const pubkey = readPubkey(request.params.key);
        const view = context.view();
        const newest = await reports.newest();
        const found = await needReader(context.reader, 'Explanations come from it.', (reader) =>
          reader.explanation(pubkey, newest.epoch),
        );
        reply.header('cache-control', 'private, no-cache');
        return explainAccount(
          pubkey,
          view,
          newest,
          found?.epoch === newest.epoch ? found.account : undefined,
        );
      },
    );
    scope.get(
      '/communities',
      {
        schema: {
          tags: ['admin'],
          summary: 'The largest communities',
          response: { 200: AdminCommunities, ...failures },
        },
      },
      async (request, reply) => {
        const { epoch, report } = await reports.newest();
        if (isFresh(request, reply, `communities-${epoch}`, 'private')) return reply.code(304).send();
        return {
          epoch,
          communities: report.communities.map((community) => ({ ...community, label: labelOf(community) })),
        };
      },
    );
    scope.get<{ Params: { id: number } }>(
      '/communities/:id',
      {
        schema: {
          tags: ['admin'],
          summary: 'A community: its most followed accounts, and where its accounts live',
          params: Type.Object({ id: Type.Integer() }),
          response: { 200: AdminCommunity, ...failures },
        },
      },
      async (request, reply) => {
        const { epoch, report } = await reports.newest();
        const community = report.communities.find(({ id }) => id === request.params.id);
        if (!community)
          throw new ProblemError(
            'not-found',
            `Epoch ${epoch} reports no community ${request.params.id}; GET /v1/admin/communities lists them.`,
          );
        if (isFresh(request, reply, `community-${epoch}-${community.id}`, 'private'))
          return reply.code(304).send();
        const top = community.top.map((account) => ({ ...account, npub: npubEncode(account.pubkey) }));
        return { epoch, ...community, label: labelOf(community), top };
      },
    );
    scope.get(
      '/graph',
      {
        schema: {
          tags: ['admin'],
          summary: 'Communities and the ties between them',
          response: { 200: AdminGraph, ...failures },
        },
      },
      async (request, reply) => {
        const { epoch, report } = await reports.newest();
        if (isFresh(request, reply, `graph-${epoch}`, 'private')) return reply.code(304).send();
        const nodes = report.communities.map((community) => ({
          id: community.id,
          label: labelOf(community),
          accounts: community.accounts,
          member: community.members.reduce((most, next) => (next[1] > most[1] ? next : most), ['', 0] as [
            string,
            number,
          ])[0],
        }));
        return { epoch, nodes, edges: report.edges };
      },
    );
  };
}

function epochDocument({ epoch, report }: Report) {
  const { moved, members, trust, figures, ms } = report;
  const { accounts, byReason, byMember } = moved;
  return {
    epoch,
    moved: { accounts, byReason },
    members: members.map(({ id, connections, reads }, i) => ({
      id,
      ...(byMember[i] ?? { came: 0, left: 0 }),
      connections,
      reads,
    })),
    trust,
    figures,
    ms,
  };
}

/** @throws ProblemError */
function readPubkey(text: string): string {
  try {
    return parsePubkey(text);
  } catch (error) {
    if (error instanceof InvalidKeyError) throw new ProblemError('bad-key', `${error.message}.`);
    throw error;
  }
}

/** A community is called after its most followed account with a name; without one, by that account's key. */
function labelOf({ label, top, id }: CommunityReport): string {
  if (label) return label;
  const first = top[0];
  return first ? `${npubEncode(first.pubkey).slice(0, 12)}…` : `community ${id}`;
}

function namesLoopback({ hostname }: FastifyRequest): boolean {
  const host = hostname.replace(/^\[|\]$/g, '').toLowerCase();
  return host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host);
}

/** The report of the epoch that is served, kept until the next epoch: it goes on being shown while the database is away. */
class ReportCache {
  readonly #context: RouteContext;
  #held: Report | undefined;

  constructor(context: RouteContext) {
    this.#context = context;
  }

  async newest(): Promise<Report> {
    const { epoch } = this.#context.view();
    if (this.#held?.epoch === epoch) return this.#held;
    try {
      const found = await needReader(this.#context.reader, 'Communities come from it.', (reader) =>
        reader.report(epoch),
      );
      if (found) this.#held = found;
    } catch (error) {
      if (!this.#held) throw error;
    }
    if (!this.#held)
      throw new ProblemError(
        'not-found',
        'No epoch has a report yet. The coordinator writes one with each epoch; try again after the next.',
      );
    return this.#held;
  }
}
