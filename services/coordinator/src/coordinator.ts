import type { Server } from 'node:http';
import {
  addIngestJob,
  INGEST_QUEUE,
  type JobContext,
  Jobs,
  PLACE_QUEUE,
  type PlaceJob,
  type PlaceProgress,
  type PlaceResult,
  UnrecoverableError,
} from '@covey/jobs';
import type { Logger } from '@covey/log';
import { NatsLink } from '@covey/nats';
import {
  connectPostgres,
  MEMBER_STATES,
  type MemberRow,
  MIGRATIONS,
  MigrationError,
  migrate,
  placedMembers,
  readControls,
  type Sql,
} from '@covey/postgres';
import { Acknowledgements } from './acknowledgements.ts';
import type { CoordinatorConfig } from './config.ts';
import { PlacementFailedError } from './epochs/compute-thread.ts';
import { Cosigner } from './epochs/cosigner.ts';
import { FencedError, lastEpoch } from './epochs/epoch-store.ts';
import { RollbackError, rollbackTo } from './epochs/rollback-epoch.ts';
import { runEpoch } from './epochs/run-epoch.ts';
import { serveHealth } from './health-server.ts';
import { IngestWorker } from './ingest/index.ts';
import { Lease } from './lease.ts';
import { leaseIn } from './lease-store.ts';
import { ManifestEvents } from './manifest-events.ts';
import { Keeper } from './membership/keeper.ts';
import { NatsUsers } from './membership/nats-users.ts';
import { OrderDesk } from './membership/order-desk.ts';
import { createMetrics, type Metrics } from './metrics.ts';
import { MemberReports } from './moves/member-reports.ts';
import { movesIn } from './moves/move-store.ts';
import { Mover } from './moves/mover.ts';
import { ReportFeed } from './moves/report-feed.ts';
import { Serial } from './moves/serial.ts';
import { Outbox } from './outbox.ts';
import { outboxIn } from './outbox-store.ts';
import { Prober } from './probes/prober.ts';
import { publishingOver } from './publishing.ts';

const MIGRATE_RETRY_MS = 2_000;
const JOB_COUNTS_MS = 10_000;

/** Tells who watches what is under way, in words. */
export type Tell = (text: string) => void;

/**
 * The coordinator: learns the follow graph, makes epochs, and publishes them. Authority over epochs and over who is a
 * member; never in the path of an event. Several may run on one database: all ingest, one leads and places.
 */
export class Coordinator {
  readonly #config: CoordinatorConfig;
  readonly #log: Logger;
  readonly #tell: Tell;
  readonly #metrics: Metrics = createMetrics();
  readonly #sql: Sql;
  readonly #link: NatsLink;
  readonly #lease: Lease;
  readonly #outbox: Outbox;
  readonly #acks: Acknowledgements;
  readonly #heads: ManifestEvents;
  readonly #jobs: Jobs;
  readonly #ingest: IngestWorker;
  readonly #desk: OrderDesk;
  readonly #keeper: Keeper;
  readonly #prober: Prober | undefined;
  readonly #cosigner: Cosigner | undefined;
  readonly #reports = new MemberReports(performance.now());
  readonly #reportFeed: ReportFeed;
  /** Held by whoever makes an epoch. */
  readonly #serial = new Serial();
  readonly #mover: Mover;
  /** Ids of those that an epoch is made with. */
  #members: readonly string[] = [];
  /** Takes placements; there only while this coordinator leads. */
  #placements: Jobs | undefined;
  #health: Server | undefined;
  #counting: NodeJS.Timeout | undefined;
  #migrated = false;
  #revoked = false;
  #stopped = false;

  constructor(config: CoordinatorConfig, log: Logger, tell: Tell = () => {}) {
    this.#config = config;
    this.#log = log;
    this.#tell = tell;
    const { cluster } = config;
    this.#sql = connectPostgres(config.databaseUrl, { application: 'covey coordinator', connections: 6 });
    this.#link = new NatsLink({ ...config.nats, user: 'coordinator' });
    this.#acks = new Acknowledgements({
      link: this.#link,
      cluster,
      members: () => this.#members,
      nowMs: () => performance.now(),
      log,
    });
    this.#heads = new ManifestEvents({ profile: config.profile }, log);
    this.#outbox = new Outbox({
      store: outboxIn(this.#sql),
      publishing: publishingOver(this.#link, cluster, config.natsReplicas),
      leads: () => this.#lease.fence !== undefined,
      onPublished: ({ epoch, manifest, snapshot }, revocations) => {
        this.#metrics.epoch.set(epoch);
        this.#acks.published(epoch);
        this.#heads.publish([config.keys.certificate, ...revocations, manifest], snapshot);
      },
      log,
    });
    this.#lease = new Lease({
      store: leaseIn(this.#sql),
      holder: config.name,
      nowMs: () => performance.now(),
      onLeader: () => void this.#lead(),
      onLost: () => void this.#follow(),
      log,
    });
    this.#jobs = this.#newJobs();
    this.#desk = new OrderDesk({
      sql: this.#sql,
      jobs: this.#jobs,
      cluster,
      profile: config.profile,
      admins: config.admins,
      root: config.keys.certificate.pubkey,
      admission: config.admission,
      nowMs: Date.now,
      log,
    });
    this.#cosigner = config.cosign
      ? new Cosigner({ sql: this.#sql, cluster, keys: config.keys, log })
      : undefined;
    this.#prober = config.probeEveryMs > 0 ? this.#newProber() : undefined;
    this.#keeper = new Keeper({
      sql: this.#sql,
      jobs: this.#jobs,
      cluster,
      name: config.name,
      keys: config.keys,
      file: config.members,
      natsUsers: config.natsUsers && new NatsUsers(config.natsUsers, cluster),
      leads: () => this.#lease.fence !== undefined,
      nowMs: Date.now,
      onMembers: (members, paused) => this.#knowMembers(members, paused),
      onRevoked: () => void this.#standDown(),
      log,
    });
    this.#reportFeed = new ReportFeed({
      link: this.#link,
      cluster,
      reports: this.#reports,
      members: () => this.#members,
      nowMs: () => performance.now(),
    });
    this.#mover = new Mover({
      ...config.moves,
      store: movesIn(this.#sql),
      context: () => this.#context(),
      reports: this.#reports,
      serial: this.#serial,
      copies: config.placement.copies,
      nowMs: () => performance.now(),
      clock: Date.now,
      onStep: () => {
        this.#metrics.moveSteps.inc();
        this.#outbox.wake();
      },
      onWaiting: (waiting) => {
        this.#metrics.movesWaiting.reset();
        for (const { reason, groups } of waiting) this.#metrics.movesWaiting.inc({ reason }, groups);
      },
      log,
    });
    this.#ingest = new IngestWorker({
      sql: this.#sql,
      jobs: this.#jobs,
      logger: log,
      clock: Date.now,
      profile: config.profile,
      onChanged: () => this.#requestPlacement('ingest'),
      spoolDir: config.spoolDir,
    });
  }

  #newProber(): Prober {
    const { cluster, profile, keys, admission, probeEveryMs } = this.#config;
    return new Prober({
      sql: this.#sql,
      jobs: this.#jobs,
      cluster,
      profile,
      secretKey: keys.secretKey,
      pubkey: keys.pubkey,
      admission,
      everyMs: probeEveryMs,
      nowMs: Date.now,
      leads: () => this.#lease.fence !== undefined,
      applies: (member, epoch) => this.#acks.applies(member, epoch),
      onProbe: ({ id, name }, { outcome, ms }) => {
        this.#metrics.probeOk.set({ member: id, name }, outcome === 'ok' ? 1 : 0);
        if (ms !== undefined) this.#metrics.probeMs.set({ member: id, name }, ms);
      },
      log: this.#log,
    });
  }

  #newJobs(): Jobs {
    const { cluster, redisUrl, databaseUrl } = this.#config;
    return new Jobs({ cluster, redisUrl, databaseUrl, logger: this.#log });
  }

  /** Waits for PostgreSQL for as long as it takes; NATS may come later. @throws MigrationError, or when a port is taken. */
  async start(): Promise<void> {
    this.#health = await serveHealth({
      ...this.#config.listen,
      metrics: this.#metrics.registry,
      notReady: () => (this.#migrated ? undefined : 'waiting for PostgreSQL'),
      desk: this.#desk,
    });
    await this.#migrate();
    if (this.#stopped) return;
    await this.#keeper.start();
    this.#acks.start();
    this.#reportFeed.start();
    this.#outbox.start();
    await this.#ingest.start();
    if (!this.#revoked) this.#lease.start();
    this.#prober?.start();
    this.#cosigner?.start();
    this.#counting = setInterval(() => void this.#count(), JOB_COUNTS_MS);
    this.#log.info({ members: this.#members.length, jobs: this.#jobs.kind }, 'coordinator started');
    if (this.#config.placement.trustSeeds.length === 0)
      this.#log.warn(
        'COVEY_TRUST_SEEDS is not set: every account counts alike, and rings of fake ones are not resisted',
      );
  }

  /** In the order that loses nothing: jobs go back to their queues while PostgreSQL still runs, leadership is given up. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearInterval(this.#counting);
    await this.#follow();
    await this.#keeper.stop();
    await this.#prober?.stop();
    await this.#cosigner?.stop();
    await this.#jobs.close();
    await this.#ingest.stop();
    await this.#outbox.stop();
    await this.#heads.stop();
    this.#acks.stop();
    this.#reportFeed.stop();
    await this.#lease.stop();
    await this.#link.close();
    await this.#sql.end({ timeout: 5 });
    this.#health?.closeAllConnections();
    this.#health?.close();
  }

  async #migrate(): Promise<void> {
    while (!this.#stopped) {
      try {
        const applied = await migrate(this.#sql, MIGRATIONS);
        if (applied.length > 0) this.#log.info({ applied }, 'schema brought up to date');
        this.#migrated = true;
        return;
      } catch (error) {
        if (error instanceof MigrationError) throw error;
        this.#log.warn({ error: String(error) }, 'PostgreSQL is not there yet');
        await new Promise((resolve) => setTimeout(resolve, MIGRATE_RETRY_MS));
      }
    }
  }

  /** What epochs are made with; only while this coordinator leads. */
  #context() {
    const { fence } = this.#lease;
    const { cluster, keys } = this.#config;
    return fence === undefined ? undefined : { sql: this.#sql, cluster, fence, keys };
  }

  async #lead(): Promise<void> {
    this.#metrics.leading.set(1);
    this.#outbox.wake();
    this.#mover.start();
    try {
      const placements = this.#newJobs();
      this.#placements = placements;
      placements.work<PlaceJob, PlaceProgress, PlaceResult>(PLACE_QUEUE, (job, context) =>
        this.#place(job, context),
      );
      await this.#setSchedule();
      await this.#begin();
    } catch (error) {
      this.#log.warn(
        { error: String(error) },
        'the first jobs could not be set; the schedule sets them again',
      );
    }
  }

  async #follow(): Promise<void> {
    this.#metrics.leading.set(0);
    await this.#mover.stop();
    const placements = this.#placements;
    this.#placements = undefined;
    await placements
      ?.close()
      .catch((error) => this.#log.warn({ error: String(error) }, 'the placement worker did not close'));
  }

  /** On an empty graph: the crawl that the configuration names, then the first epoch. */
  async #begin(): Promise<void> {
    if (!(await this.#awaitsSnapshot())) return this.#requestPlacement('start');
    this.#tell('reading the crawl of the follow graph');
    await addIngestJob(this.#jobs, { type: 'snapshot', unsigned: true });
  }

  /** Before the first lists of the crawl are in, an epoch would place nobody. Without a crawl it still places slots. */
  async #awaitsSnapshot(): Promise<boolean> {
    if (!this.#config.snapshot || (await lastEpoch(this.#sql))) return false;
    return (await this.#sql`select 1 from follow_lists limit 1`).length === 0;
  }

  #requestPlacement(reason: string): void {
    this.#jobs
      .add(PLACE_QUEUE, { reason, force: false } satisfies PlaceJob, { key: `place ${reason}` })
      .catch((error) =>
        this.#log.warn(
          { error: String(error) },
          'a placement could not be queued; the schedule will make it',
        ),
      );
  }

  /** Nobody believes this key any more: another coordinator has to lead. Ingest goes on. */
  async #standDown(): Promise<void> {
    if (this.#revoked) return;
    this.#revoked = true;
    this.#metrics.revoked.set(1);
    this.#log.error({}, 'the root has revoked this coordinator’s key: it leads no more; give it a new key');
    await this.#follow();
    await this.#lease.stop();
  }

  #knowMembers(members: readonly MemberRow[], paused: boolean): void {
    // What others wrote may wait for publication: revocations, signatures.
    this.#outbox.wake();
    this.#members = members
      .filter(({ state }) => state === 'active' || state === 'draining' || state === 'suspended')
      .map(({ id }) => id);
    for (const state of MEMBER_STATES)
      this.#metrics.members.set({ state }, members.filter((member) => member.state === state).length);
    this.#metrics.paused.set(paused ? 1 : 0);
  }

  async #place(
    { reason, force, rollbackTo: old }: PlaceJob,
    { progress, signal }: JobContext<PlaceProgress>,
  ): Promise<PlaceResult> {
    const leading = this.#context();
    if (!leading) throw new Error('this coordinator no longer leads; the one that does will take the job');
    const { placement } = this.#config;
    const context = { ...leading, moves: this.#mover, serial: this.#serial };
    try {
      if (old !== undefined) {
        const result = await rollbackTo(context, old, reason, Date.now());
        this.#finished(result);
        return result;
      }
      const held = await this.#whyNotNow(force);
      if (held) return held;
      const members = await placedMembers(this.#sql);
      const result = await runEpoch({
        ...context,
        members,
        placement,
        reason,
        force,
        nowMs: Date.now,
        signal,
        onPhase: (phase, done, total) => {
          progress({ phase, done, total });
          const share = total > 1 ? ` ${Math.floor((done * 100) / total)} %` : '';
          if (PHASES[phase]) this.#tell(`${PHASES[phase]}${share}`);
        },
      });
      this.#finished(result);
      return result;
    } catch (error) {
      this.#metrics.placementsFailed.inc();
      // Trying again gives the same answer until somebody changes the members or the options.
      if (error instanceof PlacementFailedError || error instanceof RollbackError)
        throw new UnrecoverableError(error.message);
      if (error instanceof FencedError)
        throw new Error(`${error.message}; what was computed is thrown away`, { cause: error });
      throw error;
    }
  }

  /** Paused, without members, or still without the first crawl: no placement is made, and that is no failure. */
  async #whyNotNow(force: boolean): Promise<PlaceResult | undefined> {
    const epoch = (await lastEpoch(this.#sql))?.epoch ?? 0;
    const { paused } = await readControls(this.#sql);
    if (paused) return { changed: false, epoch, paused: paused.reason || 'by an order' };
    if ((await placedMembers(this.#sql)).length === 0) {
      this.#log.info({}, 'there are no members yet: covey join, or COVEY_MEMBERS_FILE');
      return { changed: false, epoch };
    }
    return !force && (await this.#awaitsSnapshot()) ? { changed: false, epoch } : undefined;
  }

  #finished(result: PlaceResult): void {
    if (!result.changed) {
      this.#log.info({ epoch: result.epoch }, 'nothing changed: the epoch stays');
      return;
    }
    const { epoch, counts, trust, ms, tableBytes, deltaBytes } = result;
    for (const [phase, value] of Object.entries(ms)) this.#metrics.phaseMs.set({ phase }, value);
    this.#metrics.accounts.set(counts.accounts);
    this.#metrics.follows.set(counts.follows);
    this.#metrics.moved.set(counts.moved);
    if (trust) this.#metrics.trustSeeds.set(trust.seeds);
    if (trust) this.#metrics.trustReaders.set(trust.readers);
    this.#log.info({ epoch, ...counts, trust, tableBytes, deltaBytes, ms }, 'epoch made');
    if (result.explainError)
      this.#log.warn({ epoch, error: result.explainError }, 'explanations of the epoch could not be stored');
    this.#tell(`epoch ${epoch}: ${counts.accounts} accounts in ${counts.groups} groups`);
    this.#outbox.wake();
  }

  async #setSchedule(): Promise<void> {
    const job: PlaceJob = { reason: 'schedule', force: false };
    await this.#jobs.schedule(PLACE_QUEUE, 'every', this.#config.placeEveryMs, job);
  }

  async #count(): Promise<void> {
    try {
      for (const queue of [INGEST_QUEUE, PLACE_QUEUE]) {
        const { failed, waiting, active, delayed } = await this.#jobs.counts(queue);
        this.#metrics.jobsSetAside.set({ queue }, failed);
        // Not even the next of the schedule is there: somebody emptied the queue (a flushed Redis).
        if (queue === PLACE_QUEUE && this.#placements && waiting + active + delayed === 0) {
          this.#log.warn({}, 'the queue of placements was emptied: set again');
          await this.#setSchedule();
          this.#requestPlacement('the queue was emptied');
        }
      }
      const last = await lastEpoch(this.#sql);
      if (last) this.#metrics.appliedMembers.set(this.#acks.appliedBy(last.epoch));
      if (this.#acks.lastAppliedMs !== undefined)
        this.#metrics.publishToAppliedMs.set(this.#acks.lastAppliedMs);
    } catch (error) {
      this.#log.warn({ error: String(error) }, 'jobs could not be counted');
    }
  }
}

const PHASES: Record<string, string> = {
  load: 'loading the follow graph',
  detect: 'finding communities',
  search: 'placing accounts: search',
  refine: 'placing accounts: refinement',
  table: 'writing the table',
  explain: 'explaining the placement',
  commit: 'committing the epoch',
};
