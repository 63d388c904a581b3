import { planRelays, readerNumber } from '@covey/placement';
import { KEY_BYTES } from '@covey/table';
import type { FastifyPluginAsync } from 'fastify';
import { ByteBudget } from '../byte-budget.ts';
import { needReader } from '../need-reader.ts';
import type { PlacementView } from '../placement-view.ts';
import { PLAN_KEYS_MAX, type PlanRequest, readKeys, readPlanRequest } from '../plan-request.ts';
import { BODY_BYTES_MAX, ProblemError } from '../problems.ts';
import { Plan, PlanBody, problemResponse } from '../schemas.ts';
import type { RouteContext } from '../server.ts';

/** Bodies of plans that are held at once: eight of the largest, or hundreds of the usual size. */
const BODIES_BYTES_MAX = 8 * BODY_BYTES_MAX;
/** What the bookkeeping of a small request is taken to cost, so that a flood of empty ones is bounded too. */
const REQUEST_BYTES_MIN = 16 << 10;

/** POST /v1/plans: which relays to open to read a list of accounts. */
export function planRoutes(context: RouteContext): FastifyPluginAsync {
  const budget = new ByteBudget(BODIES_BYTES_MAX);
  return async (scope) => {
    scope.post(
      '/plans',
      {
        schema: {
          tags: ['placement'],
          summary: 'Which relays to open to read these accounts',
          description: `At most ${PLAN_KEYS_MAX} keys. Indexes point into the list that was sent, or, with "follows", into the list that comes back. Keys in neither \`mirrored\` nor \`external\` write to members themselves.`,
          body: PlanBody,
          response: {
            200: Plan,
            400: problemResponse('Not JSON, or not a public key'),
            404: problemResponse('No follow list of that account is known'),
            413: problemResponse('The body is too large'),
            422: problemResponse('More than 100,000 keys'),
            503: problemResponse('No table yet, no database (with "follows"), or too many plans at once'),
          },
        },
        validatorCompiler: () => () => true,
        onRequest: (request, reply, done) => {
          try {
            const length = Number(request.headers['content-length'] ?? BODY_BYTES_MAX);
            const bytes = Math.max(REQUEST_BYTES_MIN, Math.min(length || 0, BODY_BYTES_MAX));
            reply.raw.once('close', budget.take(bytes));
            done();
          } catch (error) {
            done(error as Error);
          }
        },
      },
      async (request, reply) => {
        const wanted = readPlanRequest(request.body);
        context.view(); // no table: say so before any work
        const { keys, pubkeys } = await keysOf(context, wanted);
        const text = planJson(context, context.view(), keys, wanted, pubkeys);
        reply.header('content-type', 'application/json; charset=utf-8').header('cache-control', 'no-store');
        return text;
      },
    );
  };
}

async function keysOf(
  context: RouteContext,
  wanted: PlanRequest,
): Promise<{ keys: Uint8Array; pubkeys: readonly string[] | undefined }> {
  if ('keys' in wanted) return { keys: await readKeys(wanted.keys), pubkeys: undefined };
  const pubkeys = await needReader(
    context.reader,
    'Send the accounts as "pubkeys" instead: that needs no database.',
    (reader) => reader.followeesOf(wanted.follows),
  );
  if (!pubkeys)
    throw new ProblemError(
      'no-follow-list',
      'No follow list of this account was ingested. Send the accounts that it follows as "pubkeys" instead.',
    );
  if (pubkeys.length > PLAN_KEYS_MAX)
    throw new ProblemError(
      'too-many-keys',
      `It follows ${pubkeys.length} accounts; a plan takes at most ${PLAN_KEYS_MAX}.`,
    );
  return { keys: await readKeys(pubkeys), pubkeys };
}

function planJson(
  { metrics, origins, prices }: RouteContext,
  view: PlacementView,
  keys: Uint8Array,
  wanted: PlanRequest,
  pubkeys: readonly string[] | undefined,
): string {
  const started = performance.now();
  const count = keys.length / KEY_BYTES;
  const asked = view.table.members.map(({ id }) => prices.of(id));
  const plan = planRelays({
    keys: count,
    holders: (i) => view.holders(keys.subarray(i * KEY_BYTES, (i + 1) * KEY_BYTES)),
    maxRelays: wanted.maxRelays,
    copies: wanted.copies,
    reader: readerOf(wanted, keys),
    numbers: view.memberNumbers,
    openPrices: asked.map(({ open }) => open),
    readPrices: asked.map(({ read }) => read),
  });
  metrics.planKeys.inc(count);
  metrics.planSeconds.observe((performance.now() - started) / 1000);
  const { members } = view.table;
  const where = origins?.of(
    keys,
    (i) => members[view.holders(keys.subarray(i * KEY_BYTES, (i + 1) * KEY_BYTES))[0] ?? -1]?.id ?? '',
  );
  return JSON.stringify({
    epoch: view.epoch,
    relays: plan.relays.map(({ member, keys }) => ({
      id: members[member]!.id,
      url: members[member]!.url,
      pubkeys: keys,
    })),
    uncovered: plan.uncovered,
    originsKnown: origins?.isKnown ?? false,
    mirrored: where?.mirrored ?? [],
    external: where?.external ?? [],
    ...(pubkeys ? { pubkeys } : {}),
  });
}

/** Who reads: as the request says, else whose follows are read, else a number of the list: the same list, the same plan. */
function readerOf(wanted: PlanRequest, keys: Uint8Array): number {
  const key = wanted.reader ?? ('follows' in wanted ? wanted.follows : undefined);
  if (key !== undefined) return readerNumber(Buffer.from(key, 'hex'));
  let number = 0x811c9dc5;
  for (let at = 0; at < keys.length; at += KEY_BYTES)
    number = Math.imul(number ^ ((keys[at]! << 16) | (keys[at + 1]! << 8) | keys[at + 2]!), 0x01000193) >>> 0;
  return number;
}
