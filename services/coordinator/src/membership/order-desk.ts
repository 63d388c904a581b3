import { type Jobs, PLACE_QUEUE } from '@covey/jobs';
import type { Logger } from '@covey/log';
import { InvalidEventError, InvalidRelayUrlError, type NostrEvent, parseEvent } from '@covey/nostr';
import {
  appendLog,
  carryOut,
  ImpossibleOrderError,
  listMembers,
  MembershipError,
  RepeatedOrderError,
  recordJoin,
  type Sql,
  storeRevocation,
  UnknownCoordinatorError,
} from '@covey/postgres';
import { InvalidOrderError, type Order, verifyOrder, whyForbidden } from '@covey/protocol';
import { InvalidManifestError, REVOCATION_KIND, verifyRevocation } from '@covey/table';
import { type AdmissionRule, admissionOf, clampCapacity } from './admission.ts';
import { Challenges } from './challenges.ts';
import { proveUrl, UnprovedUrlError } from './prove-url.ts';

/** Orders that are looked at at once; more are told to come back. */
const ORDERS_MAX = 8;

export interface OrderDeskOptions {
  sql: Sql;
  jobs: Pick<Jobs, 'add'>;
  cluster: string;
  profile: 'local' | 'public';
  /** Public keys (hex) that may order everything. */
  admins: readonly string[];
  /** The root key (hex) that certifies this coordinator: it may declare coordinators' keys void. */
  root: string;
  admission: AdmissionRule;
  /** Unix milliseconds. */
  nowMs: () => number;
  log: Pick<Logger, 'info' | 'warn'>;
}

/** An answer to an order: an HTTP status and what to say. */
export interface OrderAnswer {
  status: number;
  body: { ok: boolean; text: string; state?: string };
}

type Join = Extract<Order, { action: 'join' }>;

/**
 * Takes signed orders: from members (join, leave, drain) and from admins (everything). The event is the proof of who
 * ordered what, and stays in the log. Any coordinator may take them; what they change is in PostgreSQL.
 */
export class OrderDesk {
  readonly #options: OrderDeskOptions;
  readonly #challenges: Challenges;
  #open = 0;

  constructor(options: OrderDeskOptions) {
    this.#options = options;
    this.#challenges = new Challenges(options.nowMs);
  }

  challenge(): { cluster: string; challenge: string } {
    return { cluster: this.#options.cluster, challenge: this.#challenges.issue() };
  }

  /** Never throws. */
  async take(value: unknown): Promise<OrderAnswer> {
    if (this.#open >= ORDERS_MAX) return answer(503, 'too many orders at once; try again in a few seconds');
    this.#open++;
    try {
      return await this.#take(value);
    } catch (error) {
      const status = statusOf(error);
      if (status === 500) this.#options.log.warn({ error: String(error) }, 'an order failed');
      return answer(
        status,
        status === 500 ? 'the order failed here; nothing was changed' : (error as Error).message,
      );
    } finally {
      this.#open--;
    }
  }

  async #take(value: unknown): Promise<OrderAnswer> {
    const { sql, cluster, admins, nowMs, log } = this.#options;
    if ((value as { kind?: unknown } | null)?.kind === REVOCATION_KIND) return await this.#revoke(value);
    const { order, event } = verifyOrder(value, {
      cluster,
      now: Math.floor(nowMs() / 1000),
      isChallenge: (text) => this.#challenges.isOurs(text),
    });
    const forbidden = whyForbidden(order, event.pubkey, admins);
    if (forbidden) return answer(403, forbidden);
    if (order.action === 'join') return await this.#join(order, event);
    const done = await carryOut(sql, order, { actor: event.pubkey, event });
    log.info({ action: order.action, actor: event.pubkey }, 'order carried out');
    await this.#place(done.place);
    return answer(200, done.text);
  }

  /** Signed by the root itself, so that no challenge is needed: who repeats it repeats what is so. */
  async #revoke(value: unknown): Promise<OrderAnswer> {
    const { sql, cluster, root, log } = this.#options;
    const event = parseEvent(value);
    const { coordinator, lastEpoch } = verifyRevocation(event, [root], cluster);
    await sql.begin(async (tx) => {
      await appendLog(tx, {
        actor: event.pubkey,
        action: 'revoke',
        subject: coordinator,
        detail: { lastEpoch, reason: event.content.slice(0, 500) },
        event,
      });
      await storeRevocation(tx, coordinator, event);
    });
    log.warn({ coordinator, lastEpoch }, 'the root has revoked a coordinator’s key');
    return answer(
      200,
      `${coordinator.slice(0, 16)}… is void after epoch ${lastEpoch}: members hear of it now`,
    );
  }

  async #join(order: Join, event: NostrEvent): Promise<OrderAnswer> {
    const { sql, profile, admission, log } = this.#options;
    const proved = await proveUrl(order.url, order.member, profile);
    const declared = order.capacity ?? { copies: 1, connections: 1, reads: 1 };
    const { state, reason } = await sql.begin(async (tx) => {
      // Two that join at once are counted one after the other.
      await tx`select pg_advisory_xact_lock(hashtext('covey join'))`;
      const present = (await listMembers(tx)).filter((member) => member.state === 'active');
      const others = present.filter(({ id }) => id !== order.member);
      const used = clampCapacity(
        declared,
        others.map((member) => member.declared),
        admission.capacityFactorMax,
      );
      const verdict = admissionOf(admission, order.member, others.length);
      const claims = {
        id: order.member,
        url: proved.url,
        name: order.name ?? proved.name ?? new URL(proved.url).host,
        operator: order.operator ?? order.member,
        capacity: declared,
        nkey: order.nkey,
      };
      const now = await recordJoin(tx, claims, used, { ...verdict, request: event });
      await appendLog(tx, {
        actor: event.pubkey,
        action: 'join',
        subject: order.member,
        detail: { url: proved.url, state: now, declared, used },
        event,
      });
      return { state: now, reason: verdict.reason };
    });
    log.info({ member: order.member, url: proved.url, state }, 'a relay asked to join');
    if (state === 'active') await this.#place({ reason: 'member: join', force: false });
    const text = state === 'requested' ? reason : `${order.member.slice(0, 16)}… is ${state}`;
    return { status: 200, body: { ok: true, text, state } };
  }

  async #place(job: object | undefined): Promise<void> {
    if (!job) return;
    await this.#options.jobs
      .add(PLACE_QUEUE, job)
      .catch((error) =>
        this.#options.log.warn(
          { error: String(error) },
          'a placement could not be queued; the schedule will make it',
        ),
      );
  }
}

function answer(status: number, text: string): OrderAnswer {
  return { status, body: { ok: status === 200, text } };
}

function statusOf(error: unknown): number {
  const malformed =
    error instanceof InvalidOrderError ||
    error instanceof InvalidRelayUrlError ||
    error instanceof InvalidEventError ||
    error instanceof InvalidManifestError;
  if (malformed) return 400;
  if (error instanceof UnprovedUrlError) return 422;
  const conflict =
    error instanceof MembershipError ||
    error instanceof RepeatedOrderError ||
    error instanceof ImpossibleOrderError ||
    error instanceof UnknownCoordinatorError;
  return conflict ? 409 : 500;
}
