import { readFileSync } from 'node:fs';
import { inboxPrefix } from '@covey/protocol';
import { jetstreamManager } from '@nats-io/jetstream';
import { Objm } from '@nats-io/obj';
import {
  type Authenticator,
  connect,
  credsAuthenticator,
  type NatsConnection,
  type NodeConnectionOptions,
  nkeyAuthenticator,
  type Subscription,
} from '@nats-io/transport-node';

export interface NatsOptions {
  /** One server or several, separated by commas. */
  url: string;
  /** Who connects: a member's public key, `coordinator` or `api`; decides the inbox that it may subscribe to. */
  user: string;
  /** File with the nkey seed of that user. */
  nkeyFile?: string | undefined;
  /** File with NATS credentials (JWT and seed), for servers that are run with accounts. */
  credsFile?: string | undefined;
}

function authenticator({ nkeyFile, credsFile }: NatsOptions): Authenticator | undefined {
  if (credsFile) return credsAuthenticator(readFileSync(credsFile));
  if (nkeyFile) return nkeyAuthenticator(new TextEncoder().encode(readFileSync(nkeyFile, 'utf8').trim()));
  return undefined;
}

/** Between attempts at a first connect, and how long one may take. */
const FIRST_RETRY_MS = 1_000;
const FIRST_TIMEOUT_MS = 5_000;

/**
 * A connection to NATS, kept for ever: waits for the first connect, and reconnects with jitter without giving up.
 * @throws when a key file can't be read, or a URL is malformed.
 */
export async function connectNats(options: NatsOptions): Promise<NatsConnection> {
  return await connect(connectionOptions(options));
}

function connectionOptions(options: NatsOptions): NodeConnectionOptions {
  const auth = authenticator(options);
  return {
    servers: options.url.split(',').map((server) => server.trim()),
    name: `covey ${options.user.slice(0, 16)}`,
    inboxPrefix: inboxPrefix(options.user),
    waitOnFirstConnect: true,
    maxReconnectAttempts: -1,
    reconnectTimeWait: 500,
    reconnectJitter: 500,
    pingInterval: 10_000,
    maxPingOut: 2,
    // A server that was restarted with other users may answer "authorization violation" once: keep trying.
    ignoreAuthErrorAbort: true,
    ...(auth ? { authenticator: auth } : {}),
  };
}

/**
 * NATS for a service that must start, and go on, without it: `connection` is set while connected, and what is published
 * meanwhile is dropped. Listeners hear of every connect, the first and all later ones.
 */
export class NatsLink {
  #connection: NatsConnection | undefined;
  #connected = false;
  /** Why the last attempt at a first connect failed. */
  lastError: Error | undefined;
  #closed = false;
  readonly #listeners = new Set<(connection: NatsConnection) => void>();

  /** @throws when a key file can't be read. */
  constructor(options: NatsOptions) {
    void this.#open(connectionOptions(options));
  }

  async #open(options: NodeConnectionOptions): Promise<void> {
    let connection: NatsConnection | undefined;
    while (!connection && !this.#closed) {
      try {
        // One attempt at a time: the client's own wait for a first connect can't be ended by `close`, and gives up on
        // some errors (a name that does not resolve, for one) that may pass.
        connection = await connect({ ...options, waitOnFirstConnect: false, timeout: FIRST_TIMEOUT_MS });
      } catch (error) {
        this.lastError = error as Error;
        // With chance in it: a server that all members come to at once runs out of time for each of them.
        const waitMs = FIRST_RETRY_MS * (1 + Math.random());
        await new Promise((resolve) => setTimeout(resolve, waitMs).unref());
      }
    }
    if (!connection) return;
    if (this.#closed) return await connection.close();
    this.#connection = connection;
    this.#setConnected();
    void this.#watch(connection);
  }

  async #watch(connection: NatsConnection): Promise<void> {
    for await (const status of connection.status()) {
      if (status.type === 'disconnect') this.#connected = false;
      else if (status.type === 'reconnect') this.#setConnected();
    }
  }

  #setConnected(): void {
    this.#connected = true;
    for (const listener of this.#listeners) listener(this.#connection!);
  }

  get connected(): boolean {
    return this.connection !== undefined;
  }

  /** The connection while it stands. */
  get connection(): NatsConnection | undefined {
    return this.#connected ? this.#connection : undefined;
  }

  /** Calls `listener` on every connect from now on, and at once when connected already. Returns how to stop it. */
  onConnect(listener: (connection: NatsConnection) => void): () => void {
    this.#listeners.add(listener);
    if (this.connection) listener(this.connection);
    return () => this.#listeners.delete(listener);
  }

  /** Calls `take` with every message on a subject, on this connection and every later one. Returns how to stop it. */
  hear(subject: string, take: (data: Uint8Array, subject: string) => void): () => void {
    let subscription: Subscription | undefined;
    const stop = this.onConnect((connection) => {
      subscription?.unsubscribe();
      subscription = connection.subscribe(subject, {
        callback: (error, message) => {
          if (!error) take(message.data, message.subject);
        },
      });
    });
    return () => {
      stop();
      subscription?.unsubscribe();
    };
  }

  /** The last message on a subject of a stream; undefined when there is none. @throws without a connection, or a stream */
  async last(stream: string, subject: string): Promise<Uint8Array | undefined> {
    const manager = await jetstreamManager(this.#connectedNow(), { checkAPI: false });
    return (await manager.direct.getMessage(stream, { last_by_subj: subject }))?.data;
  }

  /** An object of a bucket of the object store; undefined when there is none. @throws without a connection, or a bucket */
  async object(bucket: string, name: string): Promise<Uint8Array | undefined> {
    const store = await new Objm(this.#connectedNow()).open(bucket, { check: false });
    return (await store.getBlob(name)) ?? undefined;
  }

  #connectedNow(): NatsConnection {
    const { connection } = this;
    if (!connection) throw new Error('there is no connection to NATS');
    return connection;
  }

  /** Publishes JSON on core NATS. False when not connected: the message is dropped, as nobody would hear it. */
  publish(subject: string, message: unknown): boolean {
    const { connection } = this;
    if (!connection) return false;
    connection.publish(subject, JSON.stringify(message));
    return true;
  }

  /** Sends what is waiting, for a second at most, and closes. A first connect that never came is given up. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#listeners.clear();
    const connection = this.#connection;
    if (!connection) return;
    await Promise.race([
      connection.flush().catch(() => {}),
      new Promise((resolve) => setTimeout(resolve, 1000).unref()),
    ]);
    await connection.close();
  }
}
