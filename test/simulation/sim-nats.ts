import type { HttpGet, Publication, TableLink } from '@covey/nats';
import { subjectsOf } from '@covey/protocol';
import type { Hearing } from '../../services/coordinator/src/hearing.ts';
import type { Publishing } from '../../services/coordinator/src/publishing.ts';
import type { Calls } from './calls.ts';
import { CLUSTER_NAME } from './keys.ts';
import { type Address, NATS, type World } from './world.ts';

export const SUBJECTS = subjectsOf(CLUSTER_NAME);
const ANSWER_MS_MAX = 5000;
const CONNECT_MS = 500;
/** Without a word for so long a connection counts as broken. */
const SILENT_MS = 4000;

type Take = (data: Uint8Array, subject: string) => void;

/** A NATS server with JetStream: what its streams hold survives a kill, and is gone when they are wiped. */
export class NatsServer {
  readonly #world: World;
  readonly #calls: Calls;
  readonly #links = new Set<NatsLinkOf>();
  /** Last message of each subject of the table's stream, and the snapshots; undefined where there is no stream. */
  #stream: { last: Map<string, Uint8Array>; objects: Map<string, Uint8Array> } | undefined;
  /** Called with each manifest that comes to be published. */
  onManifest: (data: Uint8Array) => void = () => {};

  constructor(world: World, calls: Calls) {
    this.#world = world;
    this.#calls = calls;
    world.start(NATS, () => {});
  }

  kill(): void {
    this.#world.kill(NATS);
    this.#calls.ended(NATS, false);
    for (const link of this.#links) link.lost();
  }

  restart(): void {
    this.#world.start(NATS, () => {});
  }

  /** The streams are gone; connections stay. */
  wipe(): void {
    this.#stream = undefined;
  }

  /** A process has ended. */
  forget(process: Address): void {
    for (const link of this.#links) if (link.process === process) this.#links.delete(link);
  }

  connect(process: Address): NatsLinkOf {
    const link = new NatsLinkOf(this.#world, this, process);
    this.#links.add(link);
    return link;
  }

  /** Something is published at the server: to all that are connected. */
  publish(subject: string, data: Uint8Array): void {
    if (subject === SUBJECTS.manifest) this.onManifest(data);
    for (const link of this.#links) link.deliver(subject, data);
  }

  #ask<T>(process: Address, what: string, work: () => T): Promise<T> {
    return this.#calls.ask(process, NATS, what, ANSWER_MS_MAX, work);
  }

  #streamNow() {
    if (!this.#stream) throw new Error('stream not found');
    return this.#stream;
  }

  last(process: Address, subject: string): Promise<Uint8Array | undefined> {
    return this.#ask(process, 'last', () => this.#streamNow().last.get(subject));
  }

  object(process: Address, name: string): Promise<Uint8Array | undefined> {
    return this.#ask(process, 'object', () => this.#streamNow().objects.get(name));
  }

  /** In the steps of `TablePublisher`, each of which may be the last. */
  publisherOf(process: Address): NonNullable<ReturnType<Publishing['publisher']>> {
    const store = (subject: string, data: Uint8Array) =>
      this.#ask(process, `store ${subject}`, () => {
        this.publish(subject, data);
        this.#streamNow().last.set(subject, data);
      });
    return {
      prepare: () =>
        this.#ask(process, 'prepare', () => {
          this.#stream ??= { last: new Map(), objects: new Map() };
        }),
      publish: async ({ epoch, root, manifest, snapshot, delta }: Publication) => {
        await this.#ask(process, 'put snapshot', () => this.#streamNow().objects.set(root, snapshot));
        if (delta) await store(SUBJECTS.delta(epoch), delta);
        await store(SUBJECTS.manifest, new TextEncoder().encode(JSON.stringify(manifest)));
      },
      publishRevocations: async () => {},
      publishCosignatures: async () => {},
    };
  }
}

/** What `NatsLink` is, over the simulated network. */
export class NatsLinkOf implements TableLink, Hearing {
  readonly process: Address;
  readonly #world: World;
  readonly #server: NatsServer;
  readonly #takes: { pattern: string[]; take: Take }[] = [];
  readonly #listeners = new Set<() => void>();
  #silentMs = 0;
  /** Messages of one connection come in their order. */
  #lastAtMs = 0;
  connected = false;

  constructor(world: World, server: NatsServer, process: Address) {
    this.#world = world;
    this.#server = server;
    this.process = process;
    this.#next();
  }

  get #passes(): boolean {
    const world = this.#world;
    return world.isRunning(NATS) && world.passes(this.process, NATS) && world.passes(NATS, this.process);
  }

  #next(): void {
    this.#world.after(this.#world.between(CONNECT_MS / 2, CONNECT_MS), this.process, 'link', () => {
      if (this.#passes) {
        this.#silentMs = 0;
        if (!this.connected) this.#connect();
      } else {
        this.#silentMs += CONNECT_MS;
        if (this.#silentMs >= SILENT_MS) this.connected = false;
      }
      this.#next();
    });
  }

  #connect(): void {
    this.connected = true;
    this.#world.wakePromises();
    for (const listener of this.#listeners) listener();
  }

  /** The server says good-bye. */
  lost(): void {
    this.#world.after(2, this.process, 'link lost', () => {
      this.connected = false;
    });
  }

  onConnect(listener: () => void): () => void {
    this.#listeners.add(listener);
    if (this.connected) listener();
    return () => this.#listeners.delete(listener);
  }

  hear(subject: string, take: Take): () => void {
    const entry = { pattern: subject.split('.'), take };
    this.#takes.push(entry);
    return () => this.#takes.splice(this.#takes.indexOf(entry), 1);
  }

  last(_stream: string, subject: string): Promise<Uint8Array | undefined> {
    return this.#server.last(this.process, subject);
  }

  object(_bucket: string, name: string): Promise<Uint8Array | undefined> {
    return this.#server.object(this.process, name);
  }

  /** Dropped without a connection, as by `NatsLink`. */
  publish(subject: string, message: unknown): boolean {
    if (!this.connected || !this.#passes) return false;
    const data = new TextEncoder().encode(JSON.stringify(message));
    this.#world.after(this.#delayMs(), NATS, `publish ${subject}`, () => this.#server.publish(subject, data));
    return true;
  }

  /** From the server to this process. */
  deliver(subject: string, data: Uint8Array): void {
    const parts = subject.split('.');
    const takes = this.#takes.filter(
      ({ pattern }) =>
        pattern.length === parts.length && pattern.every((part, i) => part === '*' || part === parts[i]),
    );
    if (takes.length === 0 || !this.connected || !this.#passes) return;
    this.#world.after(this.#delayMs(), this.process, `hear ${subject}`, () => {
      this.#world.wakePromises();
      for (const { take } of takes) take(data, subject);
    });
  }

  #delayMs(): number {
    const { nowMs } = this.#world;
    this.#lastAtMs = Math.max(this.#lastAtMs, nowMs + 1 + this.#world.random() * 20);
    return this.#lastAtMs - nowMs;
  }

  /** For a coordinator. */
  get publishing(): Publishing {
    return {
      onConnect: (listener) => this.onConnect(listener),
      publisher: () => (this.connected ? this.#server.publisherOf(this.process) : undefined),
    };
  }
}

/** What members serve of the table over HTTP. */
export interface TableServer {
  manifest(): { id: string } | undefined;
  table(): Uint8Array | undefined;
}

const HTTP_SILENT_MS = 10_000;

/** `GET` of the documents that members serve. @param serverAt the member that is reached at a host name */
export function httpBetween(
  calls: Calls,
  process: Address,
  serverAt: (host: string) => { address: Address; server: () => TableServer } | undefined,
): HttpGet {
  return async (url, bytesMax, _msMax, etag) => {
    const { host, pathname } = new URL(url);
    const found = serverAt(host);
    if (!found) throw new Error(`no such host: ${host}`);
    const body = await calls.ask(process, found.address, `GET ${pathname}`, HTTP_SILENT_MS, () => {
      const server = found.server();
      const manifest = server.manifest();
      if (pathname === '/v1/table') return server.table();
      if (pathname === '/v1/manifest')
        return manifest && manifest.id !== etag ? JSON.stringify(manifest) : undefined;
      return '[]';
    });
    const bytes = typeof body === 'string' ? new TextEncoder().encode(body) : body;
    if (bytes && bytes.length > bytesMax) throw new Error(`more than ${bytesMax} bytes`);
    return bytes;
  };
}
