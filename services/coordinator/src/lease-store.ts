import type { Sql } from '@covey/postgres';

/** The row that says who leads. Its clock alone decides when a lease is over. A port: PostgreSQL, or a store in memory. */
export interface LeaseStore {
  /** Takes the lease for `holder` when nobody has it: a higher fence than any before, or nothing. */
  acquire(holder: string, ttlMs: number): Promise<number | undefined>;
  /** Lengthens the lease of this fence. @returns false when it is over, or another one was promoted: then it is ended */
  renew(fence: number, holder: string, ttlMs: number): Promise<boolean>;
  /** Ends the lease of this fence, and no other. */
  release(fence: number): Promise<void>;
}

/** The lease in PostgreSQL (`coordinator_lease`, one row), with who is preferred in `controls`. */
export function leaseIn(sql: Sql): LeaseStore {
  const release = async (fence: number) => {
    await sql`update coordinator_lease set expires_at = now() where fence = ${fence}`;
  };
  return {
    acquire: async (holder, ttlMs) => {
      const rows = await sql<{ fence: string }[]>`
        insert into coordinator_lease as lease (holder, fence, expires_at)
        values (${holder}, 1, now() + ${ttlMs} * interval '1 millisecond')
        on conflict (only_row) do update
          set holder = excluded.holder, fence = lease.fence + 1, expires_at = excluded.expires_at
          where lease.expires_at <= now() and not exists (select 1 from controls
            where preferred <> ${holder} and preferred_until > now())
        returning fence`;
      return rows[0] && Number(rows[0].fence);
    },
    renew: async (fence, holder, ttlMs) => {
      const rows = await sql`
        update coordinator_lease set expires_at = now() + ${ttlMs} * interval '1 millisecond'
        where fence = ${fence} and expires_at > now() and not exists (select 1 from controls
          where preferred <> ${holder} and preferred_until > now())
        returning fence`;
      if (rows.length > 0) return true;
      // For one that was promoted: it need not wait for the lease to expire.
      await release(fence);
      return false;
    },
    release,
  };
}
