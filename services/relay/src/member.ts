import { join } from 'node:path';
import type { Logger } from '@covey/log';
import { NatsLink, TableFollower } from '@covey/nats';
import { publicKeyOf } from '@covey/nostr';
import { Announcer } from './announcer.ts';
import type { FollowConfig, RelayConfig } from './config.ts';
import { Relay } from './relay.ts';
import { FixedTable, type TableSource } from './table-source.ts';

/** A relay with the cluster around it: the table it follows over NATS, and what it tells the coordinator. */
export class Member {
  readonly relay: Relay;
  readonly #link: NatsLink | undefined;
  readonly #announcer: Announcer | undefined;
  readonly #tables: TableSource;

  /** @throws StoreError */
  constructor({ relay, follow }: { relay: RelayConfig; follow: FollowConfig }, log: Logger) {
    const user = publicKeyOf(relay.secretKey);
    const { natsUrl, nkeyFile, credsFile, roots } = follow;
    this.#link = natsUrl ? new NatsLink({ url: natsUrl, user, nkeyFile, credsFile }) : undefined;
    this.#tables =
      roots.length === 0
        ? new FixedTable()
        : new TableFollower({
            cluster: relay.cluster,
            roots,
            dir: join(relay.dir, 'table'),
            link: this.#link,
            log,
            onRefused: (refusal) => this.#announcer?.refused(refusal),
          });
    if (roots.length === 0)
      log.warn({}, 'COVEY_ROOTS names no trusted root key: this relay follows no table and stands alone');
    this.relay = new Relay({ config: relay, tables: this.#tables, log });
    this.#announcer = this.#link
      ? new Announcer({ relay: this.relay, link: this.#link, cluster: relay.cluster, clock: Date.now })
      : undefined;
  }

  async start(): Promise<void> {
    await this.relay.start();
    this.#announcer?.start();
    // After the relay's own listener: what is acknowledged is in force.
    this.#tables.onTable((applied) => this.#announcer?.applied(applied));
  }

  async stop(): Promise<void> {
    this.#announcer?.stop();
    await this.relay.stop();
    await this.#link?.close();
  }
}
