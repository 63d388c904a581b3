import { mkdirSync } from 'node:fs';
import { type CurrentTable, NatsLink, type Refusal, TableFollower } from '@covey/nats';
import { type Ack, subjectsOf } from '@covey/protocol';
import type { Log } from '../stderr-log.ts';
import { FollowerLease, RENEW_MS } from './follower-lease.ts';

export interface FollowOptions {
  tableDir: string;
  self: string;
  cluster: string;
  roots: string[];
  nats: { url: string; nkeyFile: string | undefined; credsFile: string | undefined };
}

/**
 * Keeps the cached table fresh over NATS, while this process holds the folder's lease, and acknowledges epochs to the
 * coordinator in the member's name. The plugin reads the folder; nothing waits for this.
 */
export class Follower {
  readonly #options: FollowOptions;
  readonly #log: Log;
  readonly #lease: FollowerLease;
  #timer: NodeJS.Timeout | undefined;
  #following: { link: NatsLink; tables: TableFollower } | undefined;
  #lastAck: Ack | undefined;

  /** @throws when the folder can't be made. */
  constructor(options: FollowOptions, log: Log) {
    mkdirSync(options.tableDir, { recursive: true });
    this.#options = options;
    this.#log = log;
    this.#lease = new FollowerLease(options.tableDir, Date.now);
  }

  /** @throws when a key file can't be read or the folder can't be written. */
  start(): void {
    this.#renew();
    this.#timer = setInterval(() => this.#renew(), RENEW_MS);
  }

  #renew(): void {
    const holds = this.#lease.hold();
    if (holds && !this.#following) this.#follow();
    else if (!holds && this.#following) void this.#unfollow();
  }

  #follow(): void {
    const { tableDir, self, cluster, roots, nats } = this.#options;
    const link = new NatsLink({
      url: nats.url,
      user: self,
      nkeyFile: nats.nkeyFile,
      credsFile: nats.credsFile,
    });
    const tables = new TableFollower({
      cluster,
      roots,
      dir: tableDir,
      link,
      log: this.#log,
      onRefused: (refusal) => this.#refused(link, tables, refusal),
    });
    this.#following = { link, tables };
    tables.onTable((current) => this.#applied(link, current));
    tables.start();
    link.onConnect(() => {
      if (this.#lastAck) this.#send(link, this.#lastAck);
    });
  }

  async #unfollow(): Promise<void> {
    const following = this.#following;
    this.#following = undefined;
    await following?.tables.stop();
    await following?.link.close();
  }

  #applied(link: NatsLink, { manifest }: CurrentTable): void {
    const { self } = this.#options;
    this.#lastAck = { member: self, epoch: manifest.epoch, root: manifest.root, atMs: Date.now() };
    this.#send(link, this.#lastAck);
  }

  #refused(link: NatsLink, tables: TableFollower, { epoch, root, error }: Refusal): void {
    this.#send(link, {
      member: this.#options.self,
      epoch,
      root: root || '0'.repeat(64),
      atMs: Date.now(),
      error: error.message.slice(0, 512),
      lastGoodEpoch: tables.current?.manifest.epoch ?? 0,
    });
  }

  #send(link: NatsLink, ack: Ack): void {
    link.publish(subjectsOf(this.#options.cluster).ack(this.#options.self), ack);
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#unfollow();
    this.#lease.release();
  }
}
