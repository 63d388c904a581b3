import type { NostrEvent } from '@covey/nostr';
import type { Sql, TransactionSql } from '../index.ts';
import { type MembershipAction, MembershipError, type MembershipState, nextState } from './member-state.ts';

export interface MemberCapacity {
  copies: number;
  connections: number;
  reads: number;
}

/** What an operator says of a relay. */
export interface MemberClaims {
  id: string;
  url: string;
  name: string;
  operator: string;
  capacity: MemberCapacity;
  nkey?: string | undefined;
}

export interface MemberRow extends MemberClaims {
  /** As declared; `capacity` is what placement uses. */
  declared: MemberCapacity;
  state: MembershipState;
  reason: string;
  leaving: boolean;
  source: 'file' | 'join';
  /** ISO 8601. */
  changedAt: string;
  admission?: NostrEvent | undefined;
}

type Tx = Sql | TransactionSql;

interface Stored {
  id: string;
  url: string;
  name: string;
  operator: string;
  declared: MemberCapacity;
  capacity: MemberCapacity;
  state: MembershipState;
  reason: string;
  leaving: boolean;
  nkey: string | null;
  source: 'file' | 'join';
  admission: NostrEvent | null;
  changed_at: Date;
}

/** Everybody who ever asked or was named, by name. */
export async function listMembers(sql: Tx): Promise<MemberRow[]> {
  const rows = await sql<Stored[]>`
    select id, url, name, operator, declared, capacity, state, reason, leaving, nkey, source, admission, changed_at
    from members order by name, id`;
  return rows.map(({ nkey, admission, changed_at, ...rest }) => ({
    ...rest,
    nkey: nkey ?? undefined,
    admission: admission ?? undefined,
    changedAt: changed_at.toISOString(),
  }));
}

/** A member in the state in which the table knows it: who is suspended keeps what it holds and gets nothing new. */
export interface PlacedMember extends Omit<MemberClaims, 'nkey'> {
  state: 'active' | 'draining';
}

/** The members that an epoch is made with. */
export async function placedMembers(sql: Tx): Promise<PlacedMember[]> {
  const rows = await listMembers(sql);
  return rows.flatMap(({ id, url, name, operator, capacity, state }) =>
    state === 'active' || state === 'draining' || state === 'suspended'
      ? [{ id, url, name, operator, capacity, state: state === 'active' ? state : ('draining' as const) }]
      : [],
  );
}

/**
 * Brings in what the members file says: new entries become members; those that came from the file before get the file's
 * URL, name, operator and capacity. Whoever is draining, suspended or gone by an order stays so.
 * @returns ids of new members.
 */
export async function seedMembers(
  sql: Sql,
  file: readonly (MemberClaims & { state: 'active' | 'draining' })[],
): Promise<string[]> {
  return await sql.begin(async (tx) => {
    const fresh: string[] = [];
    for (const { id, url, name, operator, capacity, nkey, state } of file) {
      const rows = await tx<{ fresh: boolean }[]>`
        insert into members (id, url, name, operator, declared, capacity, state, nkey, source)
        values (${id}, ${url}, ${name}, ${operator}, ${tx.json(capacity as never)}, ${tx.json(capacity as never)},
          ${state}, ${nkey ?? null}, 'file')
        on conflict (id) do update set
          url = excluded.url, name = excluded.name, operator = excluded.operator, declared = excluded.declared,
          capacity = case when members.declared = excluded.declared then members.capacity else excluded.capacity end,
          nkey = coalesce(excluded.nkey, members.nkey),
          state = case when members.state = 'active' then excluded.state else members.state end
          where members.source = 'file' and members.state not in ('left', 'refused')
        returning (xmax = 0) as fresh`;
      if (rows[0]?.fresh) fresh.push(id);
    }
    return fresh;
  });
}

/**
 * Writes down that a relay asked to join, or what it now declares. One that is in keeps its state.
 * @throws MembershipError when another member has that URL.
 */
export async function recordJoin(
  tx: Tx,
  claims: MemberClaims,
  used: MemberCapacity,
  { state, request, reason }: { state: 'requested' | 'active'; request: NostrEvent; reason: string },
): Promise<MembershipState> {
  const taken = await tx<{ id: string }[]>`
    select id from members where url = ${claims.url} and id <> ${claims.id}
      and state in ('requested', 'active', 'draining', 'suspended')`;
  if (taken[0])
    throw new MembershipError(
      `${claims.url} is member ${taken[0].id.slice(0, 16)}… already; that one has to leave first`,
    );
  const { id, url, name, operator, capacity, nkey } = claims;
  const rows = await tx<{ state: MembershipState }[]>`
    insert into members (id, url, name, operator, declared, capacity, state, reason, nkey, source, request)
    values (${id}, ${url}, ${name}, ${operator}, ${tx.json(capacity as never)}, ${tx.json(used as never)},
      ${state}, ${reason}, ${nkey ?? null}, 'join', ${JSON.stringify(request)}::text::json)
    on conflict (id) do update set
      url = excluded.url, name = excluded.name, operator = excluded.operator, declared = excluded.declared,
      capacity = excluded.capacity, nkey = coalesce(excluded.nkey, members.nkey), source = 'join',
      request = excluded.request, leaving = false, changed_at = now(),
      state = case when members.state in ('left', 'refused') then excluded.state else members.state end,
      reason = case when members.state in ('left', 'refused') then excluded.reason else members.reason end
    returning state`;
  return rows[0]!.state;
}

/** Moves a member to another state. @throws MembershipError when there is no such member, or the step is not possible. */
export async function changeMember(
  tx: Tx,
  id: string,
  action: MembershipAction,
  { reason, actor }: { reason: string; actor: string },
): Promise<{ from: MembershipState; to: MembershipState }> {
  const rows = await tx<{ state: MembershipState }[]>`select state from members where id = ${id} for update`;
  if (!rows[0]) throw new MembershipError(`no member ${id.slice(0, 16)}…; covey members lists them`);
  const from = rows[0].state;
  if (action === 'reinstate' && from === 'suspended' && actor === id)
    throw new MembershipError('who was suspended is reinstated by an admin');
  const to = nextState(from, action);
  const leaving = action === 'leave' && to !== 'left';
  await tx`
    update members set state = ${to}, reason = ${reason}, changed_at = now(),
      leaving = ${action === 'drain' ? tx`leaving` : leaving}
    where id = ${id}`;
  return { from, to };
}

/** Those that asked to go and are named by no group any more: they have left. @param held ids that a table names. */
export async function releaseLeaving(tx: Tx, held: ReadonlySet<string>): Promise<string[]> {
  const rows = await tx<{ id: string }[]>`select id from members where leaving and state = 'draining'`;
  const free = rows.map(({ id }) => id).filter((id) => !held.has(id));
  for (const id of free)
    await tx`update members set state = 'left', leaving = false, reason = 'left', changed_at = now() where id = ${id}`;
  return free;
}

/** The coordinator's signed word goes beside the member's. */
export async function storeAdmission(tx: Tx, id: string, admission: NostrEvent): Promise<void> {
  await tx`update members set admission = ${JSON.stringify(admission)}::text::json where id = ${id}`;
}

/** What placement uses of what was declared. */
export async function setCapacity(tx: Tx, id: string, capacity: MemberCapacity): Promise<void> {
  await tx`update members set capacity = ${tx.json(capacity as never)}, changed_at = now() where id = ${id}`;
}
