import type { Sql } from '@covey/postgres';

const TTL_MS = 10_000;
const RENEW_MS = 3_000;

export interface LeaseOptions {
  sql: Sql;
  holder: string;
  /** Monotonic milliseconds: a wall clock that jumps must not lengthen a lease. */
  nowMs: () => number;
  onLeader: (fence: number) => void;
  onLost: () => void;
  log: { info(fields: object, text: string): void; warn(fields: object, text: string): void };
}

/**
 * Leadership by a row in PostgreSQL that expires. Each leader gets a higher fence than the one before, and what it writes
 * is written only while the row still carries that fence, so that a leader that was paused and overtaken writes nothing.
 */
export class Lease {
  readonly #options: LeaseOptions;
  #fence: number | undefined;
  #heldUntilMs = 0;
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(options: LeaseOptions) {
    this.#options = options;
  }

  /** The fence under which this process leads, or undefined. */
  get fence(): number | undefined {
    return this.#fence !== undefined && this.#options.nowMs() < this.#heldUntilMs ? this.#fence : undefined;
  }

  start(): void {
    void this.#tick();
  }

  /** Gives leadership up, so that a stand-by need not wait for the lease to expire. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    if (this.#fence === undefined) return;
    const fence = this.#fence;
    this.#fence = undefined;
    // Ends the lease of this fence alone: a successor's is not touched.
    await this.#options.sql`update coordinator_lease set expires_at = now() where fence = ${fence}`.catch(
      () => {},
    );
  }

  async #tick(): Promise<void> {
    const { onLeader, nowMs, log } = this.#options;
    const askedAtMs = nowMs();
    try {
      const fence = this.#fence === undefined ? await this.#acquire() : await this.#renew(this.#fence);
      if (this.#stopped) return;
      if (fence !== undefined) {
        // Counted from before the question, so that this end of the lease is never later than PostgreSQL's.
        this.#heldUntilMs = askedAtMs + TTL_MS;
        if (this.#fence === undefined) {
          this.#fence = fence;
          log.info({ fence }, 'leading');
          onLeader(fence);
        }
      } else if (this.#fence !== undefined) this.#lose('another coordinator leads');
    } catch (error) {
      log.warn({ error: String(error) }, 'the lease could not be asked for');
      if (this.#fence !== undefined && nowMs() >= this.#heldUntilMs) this.#lose('PostgreSQL is out of reach');
    }
    if (this.#stopped) return;
    this.#timer = setTimeout(() => void this.#tick(), RENEW_MS);
  }

  #lose(reason: string): void {
    this.#fence = undefined;
    this.#options.log.warn({ reason }, 'no longer leading');
    this.#options.onLost();
  }

  /** Takes the lease when nobody holds it: a higher fence, or nothing. */
  async #acquire(): Promise<number | undefined> {
    const { sql, holder } = this.#options;
    const rows = await sql<{ fence: string }[]>`
      insert into coordinator_lease as lease (holder, fence, expires_at)
      values (${holder}, 1, now() + ${TTL_MS} * interval '1 millisecond')
      on conflict (only_row) do update
        set holder = excluded.holder, fence = lease.fence + 1, expires_at = excluded.expires_at
        where lease.expires_at <= now() and not exists (select 1 from controls
          where preferred <> ${holder} and preferred_until > now())
      returning fence`;
    return rows[0] && Number(rows[0].fence);
  }

  /** Lengthens the lease of this fence when it still stands, and nobody else was promoted. */
  async #renew(fence: number): Promise<number | undefined> {
    const { sql, holder } = this.#options;
    const rows = await sql`
      update coordinator_lease set expires_at = now() + ${TTL_MS} * interval '1 millisecond'
      where fence = ${fence} and expires_at > now() and not exists (select 1 from controls
        where preferred <> ${holder} and preferred_until > now())
      returning fence`;
    if (rows.length > 0) return fence;
    // For one that was promoted: it need not wait for the lease to expire.
    await sql`update coordinator_lease set expires_at = now() where fence = ${fence}`;
    return undefined;
  }
}
