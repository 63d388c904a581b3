import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { Enforcer } from '@covey/enforcement';
import { KIND, type NostrEvent, publicKeyOf } from '@covey/nostr';
import type { ClusterField, Load } from '@covey/protocol';
import { EventBatches } from './clients/event-batches.ts';
import type { RelayConfig } from './config.ts';
import { Counts } from './counts.ts';
import { Listener } from './listener.ts';
import { LiveIndex } from './live-index.ts';
import { Confirmations } from './members/confirmations.ts';
import { Departures } from './members/departures.ts';
import { Filling } from './members/filling.ts';
import { ForwardedEvents } from './members/forwarded-events.ts';
import { Forwarder } from './members/forwarder.ts';
import { HandOver } from './members/hand-over.ts';
import { MemberLinks } from './members/member-links.ts';
import { RecentArrivals } from './members/recent-arrivals.ts';
import { Repair } from './members/repair.ts';
import { RepairServer } from './members/repair-server.ts';
import { replicationLag } from './members/replication-lag.ts';
import { Upstreams } from './members/upstreams.ts';
import { VerifiedEvents } from './members/verified-events.ts';
import { RelayMetrics } from './metrics.ts';
import { Mirror, type MirrorConfig, type MirroredAccount } from './mirror/mirror.ts';
import { MirrorState } from './mirror/mirror-state.ts';
import { storeMirrored } from './mirror/store-mirrored.ts';
import { relayInformation } from './nip11.ts';
import { ReadPath } from './read-path.ts';
import { answerBackupRequest, BACKUP_LOOK_MS } from './store/archive.ts';
import { CommitQueue } from './store/commit-queue.ts';
import { openDatabase } from './store/database.ts';
import { SharedItems } from './store/shared-items.ts';
import { Spool } from './store/spool.ts';
import { SqliteStore } from './store/sqlite-store.ts';
import type { AppliedTable, TableSource } from './table-source.ts';
import { Turns } from './turns.ts';
import { VerifyPool } from './verify/verify-pool.ts';
import { WritePath } from './write-path.ts';

export interface RelayOptions {
  config: RelayConfig;
  tables: TableSource;
  log: {
    info(fields: object, text: string): void;
    warn(fields: object, text: string): void;
    error(fields: object, text: string): void;
    debug(fields: object, text: string): void;
  };
  /** Unix milliseconds. */
  clock?: () => number;
  random?: () => number;
}

const COMMIT_DELAY_MS = 2;
const NOTHING_MIRRORED: readonly MirroredAccount[] = [];
/** Threads that check signatures, unless said otherwise: one core is left to everything else. */
const VERIFY_THREADS = Math.max(1, Math.min(4, availableParallelism() - 1));
/** How long the first event of a batch waits for others. */
const BATCH_DELAY_MS = 5;
const COMMIT_WRITES_MAX = 1024;
const EXPIRY_SWEEP_MS = 60_000;
/** How often what is no longer placed here is looked for. */
const DEPARTURES_MS = 600_000;
const DEFAULT_GRACE_MS = 7 * 24 * 3_600_000;
const CONNECT_MS = 1500;
/** Entries moved in one transaction when a new table changes where they go. */
const REROUTE_BATCH = 500;
const HAND_OVER_RETRY_MS = 60_000;
/** Clients' subscriptions are taken up elsewhere within this time of a new table. */
const REROUTE_SPREAD_MS = 1000;

/**
 * A member of the cluster: a Nostr relay with a store of its own that holds the accounts the table gives it, and passes on
 * writes and reads for all others. Needs nothing but its folder; without a table it is a relay like any other.
 */
export class Relay {
  readonly pubkey: string;
  readonly metrics = new RelayMetrics();
  readonly #options: RelayOptions;
  readonly #clock: () => number;
  readonly #store: SqliteStore;
  readonly #spool: Spool;
  readonly #live = new LiveIndex();
  readonly #verifier: VerifyPool;
  readonly #turns = new Turns();
  readonly #links: MemberLinks;
  readonly #forwarder: Forwarder;
  readonly #filling = new Filling();
  readonly #repair: Repair;
  readonly #listener: Listener;
  readonly #mirror: Mirror | undefined;
  #applied: AppliedTable | undefined;
  #enforcer: Enforcer;
  #url = '';
  #ready = false;
  #unfollow: (() => void) | undefined;
  #sweep: NodeJS.Timeout | undefined;
  #departuresTimer: NodeJS.Timeout | undefined;
  #backupTimer: NodeJS.Timeout | undefined;
  #backup: Promise<unknown> = Promise.resolve();
  readonly #db: DatabaseSync;
  #handOverTimer: NodeJS.Timeout | undefined;
  #rearranging: Promise<void> = Promise.resolve();
  #stopped: Promise<void> | undefined;

  /** Opens the store. @throws StoreError */
  constructor(options: RelayOptions) {
    this.#options = options;
    const { config, log, clock = Date.now, random = Math.random } = options;
    const { limits } = config;
    this.#clock = clock;
    this.pubkey = publicKeyOf(config.secretKey);
    this.#enforcer = new Enforcer(undefined, this.pubkey, config.writes);
    const db = openDatabase(join(config.dir, 'events.sqlite'));
    const commits = new CommitQueue(db, {
      delayMs: COMMIT_DELAY_MS,
      batchMax: COMMIT_WRITES_MAX,
      waitingMax: limits.writesWaitingMax,
      onCommit: (writes, ms) => {
        this.metrics.commitWrites.observe(writes);
        this.metrics.commitMs.observe(ms);
      },
    });
    this.#db = db;
    this.#spool = new Spool(db, commits, {
      perMemberMax: limits.spoolPerMemberMax,
      bytesMax: limits.spoolBytesMax,
    });
    this.#store = new SqliteStore(db, commits, this.#spool, clock);
    this.#links = new MemberLinks({
      self: { pubkey: this.pubkey, secretKey: config.secretKey },
      allowPrivate: config.profile === 'local',
      clock,
      random,
      log,
      connectMs: CONNECT_MS,
      frameBytesMax: 2 * limits.frameBytesMax,
    });
    const forwarded = new ForwardedEvents(clock);
    const confirmations = new Confirmations();
    this.#forwarder = new Forwarder({
      spool: this.#spool,
      links: this.#links,
      clock,
      log,
      onDelivered: (_, events) => this.metrics.delivered.inc(events),
      onAnswer: (event, member, accepted, ms) => {
        confirmations.answered(event.id, member, accepted);
        if (accepted) this.metrics.copyMs.observe(ms);
      },
      onGivenUp: (event) => {
        this.metrics.givenUp.inc();
        forwarded.remove(event.id);
      },
    });
    const upstreams = new Upstreams(
      new VerifiedEvents((event) => this.#verifier.verify(event)),
      limits.upstreamsPerMemberMax,
    );
    this.#verifier = new VerifyPool({
      threads: config.verifyThreads ?? VERIFY_THREADS,
      waitingMax: limits.writesWaitingMax,
      onDeath: (error) =>
        log.warn({ error }, 'a thread that checks signatures died; its events are checked again'),
    });
    const arrivals = new RecentArrivals(clock);
    this.#links.onLeft = (member) => this.#passOn(arrivals.takeFrom(member), member);
    this.#links.onHeard = (member) => {
      this.#forwarder.wake(member);
      if (this.#filling.size > 0) this.#repair.wake();
    };
    const items = new SharedItems(db);
    this.#repair = new Repair({
      store: this.#store,
      items,
      links: this.#links,
      filling: this.#filling,
      enforcer: () => this.#enforcer,
      verify: (event) => this.#verifier.verify(event),
      relayUrl: () => this.#url,
      retention: config.retention ?? [],
      clock,
      random,
      everyMs: limits.repairEveryMs,
      eventsPerSecondMax: limits.repairEventsPerSecondMax,
      bytesPerSecondMax: limits.repairBytesPerSecondMax,
      onStored: (event, isNew) => {
        this.metrics.repaired.inc();
        if (isNew) this.#live.publish(event, JSON.stringify(event));
      },
      onRepaired: () => this.metrics.repairs.inc(),
      log,
    });
    const shared = {
      store: this.#store,
      links: this.#links,
      forwarded,
      confirmations,
      arrivals,
      enforcer: () => this.#enforcer,
      metrics: this.metrics,
      limits,
      clock,
      log,
    };
    const writes = new WritePath({
      ...shared,
      live: this.#live,
      verify: (event) => this.#verifier.verify(event),
      powBitsMin: config.powBitsMin ?? 0,
      relayUrl: () => this.#url,
    });
    this.#mirror = config.mirror && this.#mirrorWith(config.mirror, new MirrorState(db, commits), writes);
    this.#listener = new Listener(
      {
        ...shared,
        live: this.#live,
        batches: new EventBatches(BATCH_DELAY_MS),
        turns: this.#turns,
        repairServer: () =>
          new RepairServer({ items, enforcer: () => this.#enforcer, filling: this.#filling }),
        writes,
        reads: new ReadPath({ ...shared, upstreams }),
        counts: new Counts({ ...shared, upstreams }),
        negentropyBudget: { items: 0 },
        authKinds: config.authKinds ?? [],
        clusterField: () => this.clusterField(),
        relayUrl: () => this.#url,
      },
      {
        registry: this.metrics.registry,
        information: () => this.#information(),
        notReady: () => (this.#ready ? undefined : 'starting or stopping'),
      },
    );
    this.#gauges(upstreams);
  }

  #mirrorWith(allowed: MirrorConfig, state: MirrorState, writes: WritePath): Mirror {
    const { config, log } = this.#options;
    return new Mirror({
      ...allowed,
      self: this.pubkey,
      allowPrivate: config.profile === 'local',
      state,
      table: () => this.#applied?.table,
      relayLists: () => this.#store.eventsIn({ index: 'kind', kind: KIND.relayList }),
      store: (event) => storeMirrored(writes, event),
      onMirrored: (events) => this.metrics.mirrored.inc(events),
      clock: this.#clock,
      log,
    });
  }

  /** External accounts that are mirrored here, and since when (Unix seconds) all that they wrote is here. */
  mirrored(): readonly MirroredAccount[] {
    return this.#mirror?.mirrored() ?? NOTHING_MIRRORED;
  }

  #gauges(upstreams: Upstreams): void {
    const { metrics } = this;
    metrics.gauge('covey_relay_connections', 'Open connections', () => this.#listener.connections);
    metrics.gauge('covey_relay_subscriptions', 'Open subscriptions', () => this.#listener.subscriptions);
    metrics.gauge('covey_relay_events', 'Events stored', () => this.#store.events);
    metrics.gauge('covey_relay_store_bytes', 'Size of the store', () => this.#store.bytes);
    metrics.gauge('covey_relay_spooled', 'Events that wait for other members', () => this.#spool.waiting);
    metrics.gauge('covey_relay_members_connected', 'Links to other members', () => this.#links.connected);
    metrics.gauge('covey_relay_upstreams', 'Live subscriptions at other members', () => upstreams.count);
    metrics.gauge(
      'covey_relay_filling_groups',
      'Groups whose copy here is being filled',
      () => this.#filling.size,
    );
    metrics.gaugeByGroup(
      'covey_relay_replication_lag_seconds',
      'Age of the oldest event of a group that waits for another holder; the 50 groups that lag most',
      () => replicationLag(this.#spool, this.#enforcer, this.#clock()),
    );
    metrics.gauge('covey_relay_epoch', 'Epoch applied, 0 for none', () => this.epoch);
  }

  /** Epoch applied here; 0 for none. */
  get epoch(): number {
    return this.#applied?.table.epoch ?? 0;
  }

  /** The URL that this member believes clients to open. */
  get url(): string {
    return this.#url;
  }

  /** Listens, and begins to follow the table. @returns the port */
  async start(): Promise<number> {
    const { config, tables, log } = this.#options;
    const { host } = config.listen;
    const port = await this.#listener.listen(host, config.listen.port);
    this.#url = config.publicUrl ?? `ws://${host.includes(':') ? `[${host}]` : host}:${port}`;
    this.#unfollow = tables.onTable((applied) => this.#apply(applied));
    tables.start();
    if (!this.#applied) log.warn({}, 'no table yet: every event is kept here, and placed when a table comes');
    this.#sweep = setInterval(() => void this.#removeExpired(), EXPIRY_SWEEP_MS);
    this.#sweep.unref();
    this.#departuresTimer = setInterval(() => this.#whenRearranged(() => this.#depart()), DEPARTURES_MS);
    this.#departuresTimer.unref();
    this.#backupTimer = setInterval(() => {
      this.#backup = this.#backup.then(() => this.#backUp());
    }, BACKUP_LOOK_MS);
    this.#backupTimer.unref();
    this.#ready = true;
    log.info(
      { url: this.#url, member: this.pubkey, port, events: this.#store.events, epoch: this.epoch },
      'listening',
    );
    return port;
  }

  #apply(applied: AppliedTable): void {
    const { config, log } = this.#options;
    this.#applied = applied;
    this.#enforcer = new Enforcer(applied.table, this.pubkey, config.writes, this.#filling.has);
    this.#links.update(applied.table);
    this.#filling.update(this.#enforcer);
    this.#repair.wake();
    const own = applied.table.members[applied.table.memberIndex(this.pubkey) ?? -1];
    if (!own)
      log.warn({ epoch: this.epoch }, 'this member is not in the table: it holds nothing and passes on all');
    else if (own.url !== this.#url)
      log.warn(
        { table: own.url, here: this.#url },
        'the table gives another URL for this member; members that open it can not prove themselves here unless COVEY_PUBLIC_URL is the same',
      );
    this.#forwarder.wakeAll();
    this.#whenRearranged(() => this.#rearrange());
    this.#mirror?.wake();
    this.#listener.reroute(REROUTE_SPREAD_MS);
  }

  /** What waits goes where the new table says; what was taken without a table gets its copies. */
  async #rearrange(): Promise<void> {
    const enforcer = this.#enforcer;
    const members = enforcer.table?.members ?? [];
    const place = (event: Parameters<Enforcer['placesOf']>[0]) =>
      enforcer.placesOf(event).map((index) => members[index]!.id);
    for (const member of this.#spool.members)
      for (let after: number | undefined = 0; after !== undefined && !this.#stopped; )
        after = await this.#spool.reroute(member, after, REROUTE_BATCH, place, this.#clock());
    while (!this.#stopped && (await this.#store.placeUnplaced(REROUTE_BATCH, place)) > 0);
    this.#forwarder.wakeAll();
    await this.#handOver(enforcer);
  }

  /** What a member brought that is gone now may not have reached the other holders: they get it from here. */
  #passOn(events: readonly NostrEvent[], gone: string): void {
    const members = this.#enforcer.table?.members ?? [];
    for (const event of this.#stopped ? [] : events)
      this.#store
        .handOver(
          [event],
          this.#enforcer
            .othersOf(event)
            .map((index) => members[index]!.id)
            .filter((id) => id !== gone),
        )
        .catch((error) =>
          this.#options.log.error({ error: String(error) }, 'what a lost member brought was not passed on'),
        );
  }

  /** Accounts that are no longer held here go to their holders; what finds no room in the spool is tried again later. */
  async #handOver(enforcer: Enforcer): Promise<void> {
    if (enforcer.mode === 'observe') return;
    const isCurrent = () => !this.#stopped && this.#enforcer === enforcer;
    const { log } = this.#options;
    const { accounts, events, postponed } = await new HandOver({
      store: this.#store,
      spool: this.#spool,
      roomMax: Math.ceil(this.#options.config.limits.spoolPerMemberMax / 2),
    }).run(enforcer, isCurrent);
    if (events > 0)
      log.info({ accounts, events, postponed, epoch: this.epoch }, 'handed over what moved away');
    if (postponed === 0 || !isCurrent()) return;
    clearTimeout(this.#handOverTimer);
    this.#handOverTimer = setTimeout(() => {
      if (isCurrent()) this.#whenRearranged(() => this.#handOver(enforcer));
    }, HAND_OVER_RETRY_MS);
    this.#handOverTimer.unref();
  }

  /** What the table took from this member leaves, when its new holders have it. */
  async #depart(): Promise<void> {
    const enforcer = this.#enforcer;
    if (enforcer.mode === 'observe' || !enforcer.table) return;
    const { log, config } = this.#options;
    const left = await new Departures({
      store: this.#store,
      links: this.#links,
      clock: this.#clock,
      graceMs: config.graceMs ?? DEFAULT_GRACE_MS,
    }).run(enforcer, () => !this.#stopped && this.#enforcer === enforcer);
    this.metrics.departed.inc(left);
    if (left > 0) log.info({ events: left, epoch: this.epoch }, 'what is no longer placed here has left');
  }

  /** `covey relay backup` asks by a file in the folder. */
  async #backUp(): Promise<void> {
    if (this.#stopped) return;
    const { log, config } = this.#options;
    try {
      const to = await answerBackupRequest(this.#db, config.dir);
      if (to !== undefined) log.info({ to }, 'a backup was asked for and made');
    } catch (error) {
      log.error({ error: String(error) }, 'a backup that was asked for could not be made');
    }
  }

  /** Runs the removal of what has left its place now, and not in ten minutes. */
  async departNow(): Promise<void> {
    this.#whenRearranged(() => this.#depart());
    await this.#rearranging;
  }

  /** One rearrangement after the other. */
  #whenRearranged(work: () => Promise<void>): void {
    this.#rearranging = this.#rearranging
      .then(work)
      .catch((error) =>
        this.#options.log.error(
          { error: String(error) },
          'what moved could not be rearranged for the new table',
        ),
      );
  }

  async #removeExpired(): Promise<void> {
    try {
      while (!this.#stopped && (await this.#store.removeExpired(Math.floor(this.#clock() / 1000))) > 0);
      while (!this.#stopped && (await this.#store.removeVanished()) > 0);
      const { retention = [] } = this.#options.config;
      const now = Math.floor(this.#clock() / 1000);
      while (
        !this.#stopped &&
        retention.length > 0 &&
        (await this.#store.removeUnretained(retention, now)) > 0
      );
    } catch (error) {
      this.#options.log.error({ error: String(error) }, 'expired events could not be removed');
    }
  }

  clusterField(): ClusterField {
    const { config } = this.#options;
    return {
      version: 1,
      cluster: config.cluster,
      epoch: this.epoch,
      manifest: this.#applied?.event.id ?? '',
      member: this.pubkey,
      ...(config.apiUrl ? { api: config.apiUrl } : {}),
    };
  }

  #information(): object {
    const { config } = this.#options;
    return relayInformation({
      name: config.name ?? `covey member ${this.pubkey.slice(0, 8)}`,
      self: this.pubkey,
      limits: config.limits,
      powBitsMin: config.powBitsMin ?? 0,
      authKinds: config.authKinds ?? [],
      covey: this.clusterField(),
      restrictedWrites: config.writes === 'redirect',
    });
  }

  /** What a heartbeat says; counts since start stand in for rates. */
  load(): Omit<Load, 'writesPerSecond' | 'readsPerSecond'> & { accepted: number; sent: number } {
    return {
      connections: this.#listener.connections,
      subscriptions: this.#listener.subscriptions,
      events: this.#store.events,
      bytes: this.#store.bytes,
      spooled: this.#spool.waiting,
      accepted: this.metrics.accepted,
      sent: this.metrics.sentEvents,
    };
  }

  /** Takes nothing new, makes durable what it has said OK to, tells its clients, and closes the store. */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  async #stop(): Promise<void> {
    this.#ready = false;
    clearInterval(this.#sweep);
    clearInterval(this.#departuresTimer);
    clearInterval(this.#backupTimer);
    clearTimeout(this.#handOverTimer);
    this.#unfollow?.();
    this.#listener.refuse();
    await this.#options.tables.stop();
    await this.#mirror?.stop();
    this.#links.close();
    await this.#forwarder.stop();
    await this.#repair.stop();
    await this.#listener.close();
    this.#turns.stop();
    await this.#rearranging;
    await this.#backup;
    await this.#verifier.close();
    await this.#store.close();
    this.#options.log.info({}, 'stopped');
  }
}
