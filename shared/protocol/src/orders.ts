import {
  InvalidEventError,
  isHex64,
  type NostrEvent,
  parseEvent,
  signEvent,
  tagValue,
  verifyEvent,
} from '@covey/nostr';
import { type Static, Type } from '@sinclair/typebox';
import { Value } from '@sinclair/typebox/value';

/** Regular kind of an order to a cluster's coordinators. Provisional, README.md ("Orders") is the page for people. */
export const ORDER_KIND = 8421;
/** Regular kind by which a coordinator admits a member: with the member's join order both sides have signed. */
export const ADMISSION_KIND = 8422;

/** How far an order's created_at may lie from now, seconds. */
export const ORDER_SECONDS_MAX = 600;
export const ORDER_BYTES_MAX = 16_384;
const CAPACITY_MAX = 1_000_000;

const Hex64 = Type.String({ pattern: '^[0-9a-f]{64}$' });
const Text = Type.String({ minLength: 1, maxLength: 200 });
const Reason = Type.Optional(Type.String({ maxLength: 500 }));
const Part = Type.Number({ minimum: 0, maximum: CAPACITY_MAX });
const closed = { additionalProperties: false };

export const Capacity = Type.Object({ copies: Part, connections: Part, reads: Part }, closed);
export type Capacity = Static<typeof Capacity>;

const onMember = <A extends string>(action: A) =>
  Type.Object({ action: Type.Literal(action), member: Hex64, reason: Reason }, closed);

/** What can be asked of a cluster's coordinators. */
export const Order = Type.Union([
  Type.Object(
    {
      action: Type.Literal('join'),
      member: Hex64,
      url: Type.String({ maxLength: 512 }),
      name: Type.Optional(Text),
      operator: Type.Optional(Text),
      capacity: Type.Optional(Capacity),
      /** Public nkey of the member's NATS user. */
      nkey: Type.Optional(Type.String({ pattern: '^U[A-Z2-7]{55}$' })),
    },
    closed,
  ),
  onMember('leave'),
  onMember('drain'),
  onMember('reinstate'),
  onMember('admit'),
  onMember('refuse'),
  onMember('suspend'),
  Type.Object({ action: Type.Literal('pause'), reason: Reason }, closed),
  Type.Object({ action: Type.Literal('resume') }, closed),
  Type.Object(
    { action: Type.Literal('rollback'), epoch: Type.Integer({ minimum: 1 }), reason: Reason },
    closed,
  ),
  Type.Object({ action: Type.Literal('promote'), coordinator: Text }, closed),
]);
export type Order = Static<typeof Order>;
export type OrderAction = Order['action'];
export type MemberOrder = Extract<Order, { member: string }>;

/** An order that can't be taken; the message says which check failed and what to do. */
export class InvalidOrderError extends Error {
  override name = 'InvalidOrderError';
}

/** @throws InvalidOrderError naming the first field that is wrong. */
export function parseOrder(value: unknown): Order {
  if (Value.Check(Order, value)) return value;
  const action = (value as { action?: unknown } | null)?.action;
  const schema = Order.anyOf.find(({ properties }) => properties.action.const === action);
  if (!schema)
    throw new InvalidOrderError(
      `"${String(action).slice(0, 40)}" is no action; there are ${Order.anyOf.map(({ properties }) => properties.action.const).join(', ')}`,
    );
  const first = Value.Errors(schema, value).First();
  throw new InvalidOrderError(
    `the order "${String(action)}" has a bad ${first?.path ?? 'shape'}: ${first?.message ?? ''}`,
  );
}

/** An order as an event. @param challenge what the coordinator gave, so that no order can be kept and sent later. */
export function signOrder(
  order: Order,
  { cluster, challenge, createdAt }: { cluster: string; challenge: string; createdAt: number },
  { pubkey, secretKey }: { pubkey: string; secretKey: string },
): NostrEvent {
  const tags = [
    ['cluster', cluster],
    ['challenge', challenge],
  ];
  if ('member' in order) tags.push(['p', order.member]);
  return signEvent(
    { pubkey, created_at: createdAt, kind: ORDER_KIND, tags, content: JSON.stringify(order) },
    secretKey,
  );
}

/**
 * The order in an event, with its signature, cluster, challenge and time checked.
 * @param now Unix seconds.
 * @throws InvalidOrderError
 */
export function verifyOrder(
  value: unknown,
  { cluster, now, isChallenge }: { cluster: string; now: number; isChallenge: (text: string) => boolean },
): { order: Order; event: NostrEvent } {
  let event: NostrEvent;
  try {
    event = parseEvent(value);
  } catch (cause) {
    if (!(cause instanceof InvalidEventError)) throw cause;
    throw new InvalidOrderError(`that is no Nostr event: ${cause.message}`, { cause });
  }
  if (event.kind !== ORDER_KIND) throw new InvalidOrderError(`an order has kind ${ORDER_KIND}`);
  if (tagValue(event, 'cluster') !== cluster)
    throw new InvalidOrderError(
      `the order is for cluster "${tagValue(event, 'cluster')}", this is "${cluster}"`,
    );
  if (Math.abs(event.created_at - now) > ORDER_SECONDS_MAX)
    throw new InvalidOrderError(
      `the order's created_at is over ${ORDER_SECONDS_MAX} s from now: check the clock, and sign anew`,
    );
  if (!isChallenge(tagValue(event, 'challenge') ?? ''))
    throw new InvalidOrderError('the challenge is not one of ours, or too old: ask for one and sign anew');
  const verdict = verifyEvent(event);
  if (verdict !== 'valid') throw new InvalidOrderError(`the order has a ${verdict}`);
  let content: unknown;
  try {
    content = JSON.parse(event.content);
  } catch (cause) {
    throw new InvalidOrderError('the content of an order is JSON', { cause });
  }
  return { order: parseOrder(content), event };
}

/**
 * Why `pubkey` may not give this order, or undefined when it may. Admins may do everything but ask to join for another;
 * a member may join, leave, drain, and end its own draining.
 */
export function whyForbidden(order: Order, pubkey: string, admins: readonly string[]): string | undefined {
  if (order.action === 'join')
    return order.member === pubkey ? undefined : 'a relay asks to join with its own key';
  if (admins.includes(pubkey)) return undefined;
  const own = 'member' in order && order.member === pubkey;
  if (own && ['leave', 'drain', 'reinstate'].includes(order.action)) return undefined;
  return `${order.action} is for admins of the cluster (COVEY_ADMINS at the coordinator)`;
}

/** The coordinator's part of a membership. */
export function signAdmission(
  { cluster, member, url, request }: { cluster: string; member: string; url: string; request: string },
  createdAt: number,
  { pubkey, secretKey }: { pubkey: string; secretKey: string },
): NostrEvent {
  const tags = [
    ['cluster', cluster],
    ['p', member],
    ['relay', url],
    ['e', request],
  ];
  return signEvent({ pubkey, created_at: createdAt, kind: ADMISSION_KIND, tags, content: '' }, secretKey);
}

/** Whether `admission` is `coordinator`'s word that it admits `member` of this cluster at `url`. */
export function isAdmission(
  admission: NostrEvent,
  {
    cluster,
    member,
    url,
    coordinator,
  }: { cluster: string; member: string; url: string; coordinator: string },
): boolean {
  return (
    admission.kind === ADMISSION_KIND &&
    admission.pubkey === coordinator &&
    tagValue(admission, 'cluster') === cluster &&
    tagValue(admission, 'p') === member &&
    tagValue(admission, 'relay') === url &&
    isHex64(tagValue(admission, 'e')) &&
    verifyEvent(admission) === 'valid'
  );
}
