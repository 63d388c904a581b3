import { createHash, randomBytes } from 'node:crypto';
import { postgres } from '@covey/postgres/library';
import type { Sql as LibrarySql, TransactionSql } from 'postgres';
import { StoreError, StoreInUseError } from '../store-errors.ts';

type Options = {
  bigint: { to: number; from: number[]; parse: (text: string) => number; serialize: (n: number) => string };
};
export type Sql = LibrarySql<{ bigint: number }>;
export type Tx = TransactionSql<{ bigint: number }>;

export interface ConnectionOptions {
  url: string;
  /** Everything of this member is in it. */
  schema: string;
  /** Connections for reads; one more writes. */
  readers: number;
}

const BIGINT = 20;
/** A process that is just ending gives the store free within this time. */
const IN_USE_MS = 3000;
const RETRY_MS = 250;
const CONNECT_SECONDS = 5;

/**
 * A member's connections to PostgreSQL: one writes and holds the member's advisory lock, the others read. The lock goes with
 * its connection, so who writes holds it; a token in the schema, looked at in every transaction, keeps out a process whose
 * connection is gone and that does not know it yet.
 */
export class Connection {
  readonly reads: Sql;
  readonly #connectWriter: () => Sql;
  #writes: Sql;
  readonly #schema: string;
  readonly #token = randomBytes(16).toString('hex');
  #isOwner = false;
  #isClosed = false;

  constructor({ url, schema, readers }: ConnectionOptions) {
    this.#schema = schema;
    const connect = (max: number, onclose: () => void): Sql =>
      postgres<Options>(url, {
        max,
        connect_timeout: CONNECT_SECONDS,
        backoff: (attempt) => Math.min(5, 2 ** attempt / 10),
        connection: { application_name: 'covey-relay', search_path: schema, synchronous_commit: 'on' },
        types: {
          // Every number here is below 2^53.
          bigint: { to: BIGINT, from: [BIGINT], parse: Number, serialize: String },
        },
        onnotice: () => {},
        onclose,
      }) as unknown as Sql;
    this.#connectWriter = () => {
      const writes = connect(1, () => {
        if (this.#writes === writes) this.#isOwner = false;
      });
      return writes;
    };
    this.#writes = this.#connectWriter();
    this.reads = connect(readers, () => {});
  }

  /** Runs once what only the owner may do: makes the schema, takes the lock, says whose it is. @throws StoreInUseError, StoreError */
  async own(prepare: (sql: Sql) => Promise<unknown>): Promise<void> {
    try {
      for (const endMs = performance.now() + IN_USE_MS; !(await this.#lock()); ) {
        if (performance.now() > endMs)
          throw new StoreInUseError(`the schema ${this.#schema} is in use by another process`);
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      }
      await this.#writes.unsafe(`CREATE SCHEMA IF NOT EXISTS ${this.#schema}`);
      await prepare(this.#writes);
      await this.#claim();
    } catch (error) {
      throw storeError(error, 'can not be opened');
    }
  }

  async #lock(): Promise<boolean> {
    const key = createHash('sha256').update(this.#schema).digest().readBigInt64BE();
    const [row] = await this.#writes`SELECT pg_try_advisory_lock(${key.toString()}::bigint) AS mine`;
    return row!['mine'] as boolean;
  }

  async #claim(): Promise<void> {
    await this.#writes`INSERT INTO owner (single, token) VALUES (true, ${this.#token})
      ON CONFLICT (single) DO UPDATE SET token = excluded.token`;
    this.#isOwner = true;
  }

  /** One transaction; on the disk when it settles. @throws StoreError */
  async transaction<T>(work: (tx: Tx) => Promise<T>): Promise<T> {
    try {
      if (!this.#isOwner) {
        if (!(await this.#lock()))
          throw new StoreInUseError(`the schema ${this.#schema} was taken over by another process`);
        await this.#claim();
      }
      return (await this.#writes.begin(async (tx) => {
        const [owner] = await tx`SELECT token FROM owner FOR SHARE`;
        if (owner?.['token'] !== this.#token)
          throw new StoreInUseError(`the schema ${this.#schema} was taken over by another process`);
        return await work(tx as unknown as Tx);
      })) as T;
    } catch (error) {
      throw storeError(error, 'could not be written');
    }
  }

  /** A new connection for writes in place of one that does not answer; the lock goes with the old one, and is taken again. */
  renew(): void {
    const old = this.#writes;
    this.#writes = this.#connectWriter();
    this.#isOwner = false;
    void old.end({ timeout: 0 }).catch(() => {});
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    await Promise.all([this.#writes.end({ timeout: 5 }), this.reads.end({ timeout: 5 })]);
  }
}

/** PostgreSQL's error as one of ours. Where it is, is not told: its URL may hold a password. */
export function storeError(error: unknown, what: string): Error {
  if (error instanceof StoreError) return error;
  return new StoreError(`the store in PostgreSQL ${what}: ${(error as Error).message}`, { cause: error });
}
