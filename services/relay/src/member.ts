import { join } from 'node:path';
import type { Logger } from '@covey/log';
import { type CurrentTable, NatsLink, TableFollower } from '@covey/nats';
import { publicKeyOf } from '@covey/nostr';
import { Announcer } from './announcer.ts';
import type { FollowConfig, RelayConfig } from './config.ts';
import { Relay } from './relay.ts';
import type { MemberStore } from './store/member-store.ts';
import { openMemberStore } from './store/open-member-store.ts';
import { FixedTable, type TableSource } from './table-source.ts';

export interface MemberConfig {
  relay: RelayConfig;
  follow: FollowConfig;
}

/** A relay with the cluster around it: the table it follows over NATS, and what it tells the coordinator. */
export class Member {
  readonly relay: Relay;
  readonly #link: NatsLink | undefined;
  readonly #announcer: Announcer | undefined;
  readonly #tables: TableSource;

  /** Opens its store. @throws StoreError */
  static async open(config: MemberConfig, log: Logger): Promise<Member> {
    return new Member(config, await openMemberStore(config.relay, Date.now), log);
  }

  private constructor({ relay, follow }: MemberConfig, store: MemberStore, log: Logger) {
    const user = publicKeyOf(relay.secretKey);
    const { natsUrl, nkeyFile, credsFile, roots, signaturesMin } = follow;
    this.#link = natsUrl ? new NatsLink({ url: natsUrl, user, nkeyFile, credsFile }) : undefined;
    this.#tables =
      roots.length === 0
        ? new FixedTable()
        : new TableFollower({
            cluster: relay.cluster,
            roots,
            dir: join(relay.dir, 'table'),
            link: this.#link,
            signaturesMin,
            httpBases: (current) => tablePlaces(relay.apiUrl, current, user),
            log,
            onRefused: (refusal) => this.#announcer?.refused(refusal),
          });
    if (roots.length === 0)
      log.warn({}, 'COVEY_ROOTS names no trusted root key: this relay follows no table and stands alone');
    this.relay = new Relay({
      config: relay,
      tables: this.#tables,
      followsTable: roots.length > 0,
      store,
      log,
    });
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

/** Where this member finds the table without NATS: its api, then the other members, which serve theirs. */
function tablePlaces(apiUrl: string | undefined, current: CurrentTable | undefined, self: string): string[] {
  const members = (current?.table.members ?? []).filter(({ id }) => id !== self);
  const bases = members.map(({ url }) => url.replace(/^ws/, 'http').replace(/\/$/, ''));
  return [...(apiUrl ? [apiUrl.replace(/\/$/, '')] : []), ...bases];
}
