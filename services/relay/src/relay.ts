import { availableParallelism } from 'node:os';
import { Enforcer } from '@covey/enforcement';
import { KIND, publicKeyOf } from '@covey/nostr';
import type { ClusterField, Heartbeat, Load } from '@covey/protocol';
import { EventBatches } from './clients/event-batches.ts';
import type { RelayConfig } from './config.ts';
import { Counts } from './counts.ts';
import { Housekeeping } from './housekeeping.ts';
import { Listener } from './listener.ts';
import { LiveIndex } from './live-index.ts';
import { Confirmations } from './members/confirmations.ts';
import { Failover } from './members/failover.ts';
import { Filling } from './members/filling.ts';
import { ForwardedEvents } from './members/forwarded-events.ts';
import { Forwarder } from './members/forwarder.ts';
import { MemberLinks } from './members/member-links.ts';
import { RecentArrivals } from './members/recent-arrivals.ts';
import { Repair } from './members/repair.ts';
import { RepairServer } from './members/repair-server.ts';
import { Upstreams } from './members/upstreams.ts';
import { VerifiedEvents } from './members/verified-events.ts';
import { RelayMetrics } from './metrics.ts';
import { ExternalLists } from './mirror/external-lists.ts';
import { Mirror, type MirrorConfig, type MirroredAccount } from './mirror/mirror.ts';
import { storeMirrored } from './mirror/store-mirrored.ts';
import { relayInformation } from './nip11.ts';
import { ReadPath } from './read-path.ts';
import { Rearrangement } from './rearrangement.ts';
import { registerGauges } from './relay-gauges.ts';
import type { MemberStore } from './store/member-store.ts';
import { openSqliteStore } from './store/sqlite/open-sqlite-store.ts';
import { storeOptions } from './store/store-options.ts';
import { TableDocuments } from './table-documents.ts';
import type { AppliedTable, TableSource } from './table-source.ts';
import { Turns } from './turns.ts';
import { VerifyPool } from './verify/verify-pool.ts';
import { WritePath } from './write-path.ts';

export interface RelayOptions {
  config: RelayConfig;
  tables: TableSource;
  /** It belongs to a cluster: until it has a table, it does not say that an answer is all there is. */
  followsTable?: boolean;
  /** Opened already; the folder's own SQLite when not given. The relay closes it. */
  store?: MemberStore;
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

const NOTHING_MIRRORED: readonly MirroredAccount[] = [];
/** Threads that check signatures, unless said otherwise: one core is left to everything else. */
const VERIFY_THREADS = Math.max(1, Math.min(4, availableParallelism() - 1));
/** How long the first event of a batch waits for others. */
const BATCH_DELAY_MS = 5;
const DEFAULT_GRACE_MS = 7 * 24 * 3_600_000;
const CONNECT_MS = 1500;
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
  readonly #store: MemberStore;
  readonly #live = new LiveIndex();
  readonly #verifier: VerifyPool;
  readonly #turns = new Turns();
  readonly #links: MemberLinks;
  readonly #forwarder: Forwarder;
  readonly #filling = new Filling();
  readonly #repair: Repair;
  readonly #failover: Failover;
  readonly #listener: Listener;
  readonly #mirror: Mirror | undefined;
  #applied: AppliedTable | undefined;
  #enforcer: Enforcer;
  #url = '';
  #ready = false;
  #unfollow: (() => void) | undefined;
  readonly #rearrangement: Rearrangement;
  readonly #housekeeping: Housekeeping;
  #stopped: Promise<void> | undefined;

  /** Opens the store. @throws StoreError */
  constructor(options: RelayOptions) {
    this.#options = options;
    const { config, log, clock = Date.now, random = Math.random } = options;
    const { limits } = config;
    this.#clock = clock;
    this.pubkey = publicKeyOf(config.secretKey);
    this.#enforcer = new Enforcer(undefined, this.pubkey, config.writes);
    const store = options.store ?? openSqliteStore(storeOptions(config, clock));
    store.onCommit = (writes, ms) => {
      this.metrics.commitWrites.observe(writes);
      this.metrics.commitMs.observe(ms);
    };
    this.#store = store;
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
      spool: store.spool,
      links: this.#links,
      clock,
      log,
      onDelivered: (_, events) => this.metrics.delivered.inc(events),
      onAnswer: (event, member, answer, ms) => {
        confirmations.answered(event.id, member, answer);
        if (answer?.accepted) this.metrics.copyMs.observe(ms);
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
      ...(config.verifier ? { verifier: config.verifier } : {}),
      waitingMax: limits.writesWaitingMax,
      onDeath: (error) =>
        log.warn({ error }, 'a thread that checks signatures died; its events are checked again'),
    });
    const arrivals = new RecentArrivals(clock);
    this.#failover = new Failover({
      self: this.pubkey,
      links: this.#links,
      filling: this.#filling,
      enforcer: () => this.#enforcer,
      clock: () => performance.timeOrigin + performance.now(), // which does not jump
      startedAtMs: clock(),
      random,
      config: { absentMs: limits.absentMs, ...config.liveness },
      onVerdicts: () => this.#onVerdicts(arrivals),
      onBehind: () => this.#repair.wake(),
      metrics: this.metrics,
      log,
    });
    const { detector } = this.#failover;
    this.#links.onProbeAnswer = (member, frame) => detector.answered(frame, member);
    this.#links.onLost = (member) => detector.lost(member);
    this.#links.onBehind = (member) => {
      if (!this.#filling.behind(member)) return;
      log.warn({ member }, 'events for this member wait at another that can not reach it: it fetches them');
      this.metrics.catchUps.inc({ reason: 'behind' });
      this.#repair.wake();
    };
    this.#links.onLeft = (member) => {
      this.#rearrangement.passOn(arrivals.takeFrom(member), member);
      detector.lost(member);
    };
    this.#links.onHeard = (member) => {
      this.#forwarder.wake(member);
      if (this.#filling.size > 0) this.#repair.wake();
    };
    this.#repair = new Repair({
      store: store.events,
      items: store.items,
      links: this.#links,
      filling: this.#filling,
      enforcer: () => this.#enforcer,
      verify: (event) => this.#verifier.verify(event),
      relayUrl: () => this.#url,
      frozen: () => clock() / 1000 > (this.#applied?.manifest?.movesUntil ?? Number.POSITIVE_INFINITY),
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
      store: store.events,
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
      onOvertaken: () => this.#rearrangement.begin(),
      live: this.#live,
      verify: (event) => this.#verifier.verify(event),
      powBitsMin: config.powBitsMin ?? 0,
      relayUrl: () => this.#url,
    });
    const authKinds = new Set(config.authKinds);
    this.#mirror = config.mirror && this.#mirrorWith(config.mirror, writes);
    this.#listener = new Listener(
      {
        ...shared,
        live: this.#live,
        batches: new EventBatches(BATCH_DELAY_MS),
        turns: this.#turns,
        repairServer: () =>
          new RepairServer({ items: store.items, enforcer: () => this.#enforcer, filling: this.#filling }),
        probed: (frame, member, answer) => {
          this.#tellBehind(member, answer);
          return detector.probed(frame, member, answer);
        },
        toldEpoch: (epoch, member) => {
          const url = this.#links.get(member)?.url;
          if (epoch > this.epoch + 1 && url) options.tables.lookAt?.(url);
        },
        writes,
        reads: new ReadPath({
          ...shared,
          upstreams,
          awaitsTable: () => options.followsTable === true && this.#applied === undefined,
        }),
        counts: new Counts({ ...shared, upstreams, authKinds }),
        negentropyBudget: { items: 0 },
        authKinds,
        onSlowReader: () => this.metrics.cut.inc({ reason: 'slow reader' }),
        clusterField: () => this.clusterField(),
        relayUrl: () => this.#url,
      },
      {
        registry: this.metrics.registry,
        information: () => this.#information(),
        documents: new TableDocuments(options.tables),
        notReady: () => (this.#ready ? undefined : 'starting or stopping'),
        trouble: () => this.#failover.trouble,
      },
    );
    this.#rearrangement = new Rearrangement({
      store,
      links: this.#links,
      enforcer: () => this.#enforcer,
      spoolPerMemberMax: limits.spoolPerMemberMax,
      graceMs: config.graceMs ?? DEFAULT_GRACE_MS,
      clock,
      onRerouted: () => this.#forwarder.wakeAll(),
      onDeparted: (events) => this.metrics.departed.inc(events),
      log,
    });
    this.#housekeeping = new Housekeeping({ store, retention: config.retention ?? [], clock, log });
    registerGauges(this.metrics, {
      listener: this.#listener,
      store,
      links: this.#links,
      upstreams,
      filling: this.#filling,
      enforcer: () => this.#enforcer,
      epoch: () => this.epoch,
      verifier: this.#verifier.verifierName,
      failover: this.#failover,
      clock,
    });
  }

  /** It can reach this member, which could not reach it: it hears of what waits here, and delivery is tried again. */
  #tellBehind(member: string, send: (frame: string) => void): void {
    const waiting = this.#forwarder.stuck(member);
    if (waiting === 0) return;
    send(JSON.stringify(['COVEY-BEHIND', waiting]));
    this.#links.get(member)?.retryNow();
    this.#forwarder.wake(member);
  }

  #mirrorWith(allowed: MirrorConfig, writes: WritePath): Mirror {
    const { config, log } = this.#options;
    const { apiUrl } = config;
    const { accountsMax } = allowed;
    const lists = apiUrl
      ? new ExternalLists({ apiUrl, self: this.pubkey, accountsMax, clock: this.#clock, log })
      : undefined;
    return new Mirror({
      ...allowed,
      self: this.pubkey,
      allowPrivate: config.profile === 'local',
      state: this.#store.mirror,
      table: () => this.#applied?.table,
      relayLists: () => this.#store.events.eventsIn({ index: 'kind', kind: KIND.relayList }),
      external: async (epoch) => (await lists?.read(epoch)) ?? [],
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
    this.#rearrangement.start();
    this.#housekeeping.start();
    this.#ready = true;
    const { verifierName: verifier, passedOver } = this.#verifier;
    log.info({ verifier, passedOver }, 'signatures are checked by the fastest verifier here');
    log.info(
      { url: this.#url, member: this.pubkey, port, events: this.#store.events.events, epoch: this.epoch },
      'listening',
    );
    return port;
  }

  #apply(applied: AppliedTable): void {
    const { log } = this.#options;
    this.#applied = applied;
    this.#links.update(applied.table);
    this.#enforce();
    this.#failover.detector.update(applied.table.members.map(({ id }) => id));
    const own = applied.table.members[applied.table.memberIndex(this.pubkey) ?? -1];
    if (!own)
      log.warn({ epoch: this.epoch }, 'this member is not in the table: it holds nothing and passes on all');
    else if (own.url !== this.#url)
      log.warn(
        { table: own.url, here: this.#url },
        'the table gives another URL for this member; members that open it can not prove themselves here unless COVEY_PUBLIC_URL is the same',
      );
    this.#forwarder.wakeAll();
    this.#rearrangement.begin();
    this.#mirror?.wake();
    this.#listener.reroute(REROUTE_SPREAD_MS);
  }

  /**
   * By the table and the verdicts of this moment.
   * @returns whether, under the same table, this member holds something no longer
   */
  #enforce(): boolean {
    const { writes } = this.#options.config;
    const table = this.#applied?.table;
    const { verdicts } = this.#failover;
    this.#enforcer =
      table && table === this.#enforcer.table
        ? this.#enforcer.under(verdicts)
        : new Enforcer(table, this.pubkey, writes, this.#filling.has, verdicts);
    const lost = this.#filling.update(this.#enforcer);
    this.#failover.look();
    this.#repair.wake();
    return lost;
  }

  /** A member died, was given up, or serves again: others act at once, and clients are told. */
  #onVerdicts(arrivals: RecentArrivals): void {
    if (this.#stopped) return;
    const lost = this.#enforce();
    // A machine that is gone breaks no connection: what it was bringing is not waited for until its connection times out.
    for (const member of this.#failover.verdicts.dead)
      this.#rearrangement.passOn(arrivals.takeFrom(member), member);
    this.#forwarder.wakeAll();
    // What this member held for another goes to those who hold it again.
    if (lost) this.#rearrangement.begin();
    this.#listener.reroute(REROUTE_SPREAD_MS);
  }

  /** Runs the removal of what has left its place now, and not in ten minutes. */
  async departNow(): Promise<void> {
    await this.#rearrangement.departNow();
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
      ...(this.#failover.told ? { verdicts: this.#failover.told } : {}),
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
      words: config.words ?? {},
    });
  }

  /** Moving groups whose copy here is being filled, for a heartbeat. */
  filling(): { groups: number[]; more: boolean } {
    return this.#filling.moving;
  }

  /** Who of the members does not serve, or is suspected; undefined when nobody is known to. */
  verdicts(): Heartbeat['verdicts'] {
    return this.#failover.reported;
  }

  /** What a heartbeat says; counts since start stand in for rates. */
  load(): Omit<Load, 'writesPerSecond' | 'readsPerSecond'> & { accepted: number; sent: number } {
    return {
      connections: this.#listener.connections,
      subscriptions: this.#listener.subscriptions,
      events: this.#store.events.events,
      bytes: this.#store.events.bytes,
      spooled: this.#store.spool.waiting,
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
    this.#failover.stop();
    this.#unfollow?.();
    this.#listener.refuse();
    await this.#options.tables.stop();
    await this.#mirror?.stop();
    this.#links.close();
    await this.#forwarder.stop();
    await this.#repair.stop();
    await this.#listener.close();
    this.#turns.stop();
    await this.#rearrangement.stop();
    await this.#housekeeping.stop();
    await this.#verifier.close();
    await this.#store.close();
    this.#options.log.info({}, 'stopped');
  }
}
