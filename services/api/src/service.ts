import type { Logger } from '@covey/log';
import { type CurrentTable, NatsLink, TableFollower } from '@covey/nats';
import { AccountOrigins } from './account-origins.ts';
import type { ApiConfig } from './config.ts';
import { ApiDatabase } from './database.ts';
import { MemberFeed } from './member-feed.ts';
import { MemberPrices, SAMPLE_MS } from './member-prices.ts';
import { MemberStates } from './member-states.ts';
import { OriginsFeed } from './origins-feed.ts';
import { ApiServer } from './server.ts';

/**
 * The api service: follows the table over NATS, keeps the last good one on disk, and answers over HTTP. It is the
 * authority of nothing, and goes on answering by its last table when NATS, PostgreSQL and the coordinator are gone.
 */
export class ApiService {
  readonly #config: ApiConfig;
  readonly #log: Logger;
  #link: NatsLink | undefined;
  #follower: TableFollower | undefined;
  #feed: MemberFeed | undefined;
  #database: ApiDatabase | undefined;
  #origins: OriginsFeed | undefined;
  #server: ApiServer | undefined;
  #stopPrices: (() => void) | undefined;
  #sampling: NodeJS.Timeout | undefined;

  constructor(config: ApiConfig, log: Logger) {
    this.#config = config;
    this.#log = log;
  }

  /** Resolves with the URL once it listens; waits neither for NATS nor for PostgreSQL. */
  async start(): Promise<string> {
    const { cluster, roots, dir, nats, signaturesMin, databaseUrl, admin, dashboardDir, listen } =
      this.#config;
    const log = this.#log;
    this.#link = nats ? new NatsLink({ ...nats, user: 'api' }) : undefined;
    this.#follower = new TableFollower({
      cluster,
      roots,
      dir,
      link: this.#link,
      signaturesMin,
      httpBases: memberBases,
      log,
    });
    this.#follower.start();
    this.#database = databaseUrl ? new ApiDatabase(databaseUrl) : undefined;
    const states = new MemberStates(Date.now);
    if (this.#link) {
      this.#feed = new MemberFeed(this.#link, cluster, states, this.#follower, log);
      this.#feed.start();
    }
    const prices = new MemberPrices(states);
    this.#stopPrices = this.#follower.onTable(({ table }) => prices.retain(table.members));
    this.#sampling = setInterval(() => prices.sample(), SAMPLE_MS);
    const origins = new AccountOrigins(Date.now);
    this.#origins = new OriginsFeed(
      origins,
      this.#follower,
      this.#database,
      this.#link && { link: this.#link, cluster },
      log,
    );
    this.#origins.start();
    this.#server = new ApiServer({
      cluster,
      source: this.#follower,
      states,
      prices,
      origins,
      reader: this.#database,
      natsConfigured: nats !== undefined,
      admin,
      dashboardDir,
      log,
    });
    const url = await this.#server.listen(listen);
    log.info({ url, admin }, 'listening');
    return url;
  }

  async stop(): Promise<void> {
    await this.#server?.close();
    clearInterval(this.#sampling);
    this.#stopPrices?.();
    this.#feed?.stop();
    this.#origins?.stop();
    await this.#follower?.stop();
    await this.#link?.close();
    await this.#database?.close();
  }
}

/** Members serve the table too: where NATS does not have it, they do. */
function memberBases(current: CurrentTable | undefined): string[] {
  return (current?.table.members ?? []).map(({ url }) => url.replace(/^ws/, 'http').replace(/\/$/, ''));
}
