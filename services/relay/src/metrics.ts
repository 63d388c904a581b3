import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';

/** What a member counts; one registry a member, so that several can run in one process. */
export class RelayMetrics {
  readonly registry = new Registry();
  readonly #registers = [this.registry];

  readonly events = new Counter({
    name: 'covey_relay_events_total',
    help: 'Events that clients and members sent, by what became of them',
    labelNames: ['from', 'outcome'] as const,
    registers: this.#registers,
  });
  readonly observed = new Counter({
    name: 'covey_relay_observed_total',
    help: 'Events kept here though their account lives elsewhere, as COVEY_WRITES=observe asks',
    registers: this.#registers,
  });
  readonly sent = new Counter({
    name: 'covey_relay_events_sent_total',
    help: 'Events sent to clients and members',
    registers: this.#registers,
  });
  readonly delivered = new Counter({
    name: 'covey_relay_forwarded_total',
    help: 'Events that other members took from our spool',
    registers: this.#registers,
  });
  readonly givenUp = new Counter({
    name: 'covey_relay_forward_given_up_total',
    help: 'Spooled events that another member refused for good, or that grew too old',
    registers: this.#registers,
  });
  readonly copiesDropped = new Counter({
    name: 'covey_relay_copies_dropped_total',
    help: 'Copies not spooled because their destination has too many waiting; repair brings them later',
    registers: this.#registers,
  });
  readonly acknowledged = new Counter({
    name: 'covey_relay_acknowledged_total',
    help: 'Events of clients said OK to, by durable copies at holders then: two, one, or none but the spool here',
    labelNames: ['copies'] as const,
    registers: this.#registers,
  });
  readonly repaired = new Counter({
    name: 'covey_relay_repaired_total',
    help: 'Events that were missing here and were fetched from another holder',
    registers: this.#registers,
  });
  readonly departed = new Counter({
    name: 'covey_relay_departed_total',
    help: 'Events that left after the table placed their account elsewhere and its new holders had them',
    registers: this.#registers,
  });
  readonly repairs = new Counter({
    name: 'covey_relay_repairs_total',
    help: 'Comparisons with another holder that were completed',
    registers: this.#registers,
  });
  readonly deliveryExcess = new Counter({
    name: 'covey_relay_delivery_excess_total',
    help: 'Accounts and hashtags tagged in events that were not delivered to their members, past the bound of an event',
    registers: this.#registers,
  });
  readonly suspicions = new Counter({
    name: 'covey_relay_suspicions_total',
    help: 'Probes of another member that failed and made it a suspect',
    registers: this.#registers,
  });
  readonly deaths = new Counter({
    name: 'covey_relay_member_deaths_total',
    help: 'Verdicts that another member is dead',
    registers: this.#registers,
  });
  readonly detectionMs = new Histogram({
    name: 'covey_relay_detection_milliseconds',
    help: 'Time from the last that was heard of a member directly to the verdict that it is dead',
    buckets: [500, 1000, 1500, 2000, 2500, 3000, 4000, 5000, 7000, 10_000, 60_000],
    registers: this.#registers,
  });
  readonly failovers = new Counter({
    name: 'covey_relay_failovers_total',
    help: 'Times that this member became the acting master of groups',
    registers: this.#registers,
  });
  readonly catchUps = new Counter({
    name: 'covey_relay_catch_ups_total',
    help: 'Times that this member stepped down to catch up after its start, by reason',
    labelNames: ['reason'] as const,
    registers: this.#registers,
  });
  readonly copyMs = new Histogram({
    name: 'covey_relay_copy_milliseconds',
    help: 'Time from the commit of an event here until another member has its copy',
    buckets: [2, 5, 10, 20, 50, 100, 500, 2000, 10_000, 60_000, 600_000],
    registers: this.#registers,
  });
  readonly remoteReads = new Counter({
    name: 'covey_relay_remote_reads_total',
    help: 'Subscriptions that other members were asked for, by what came of it',
    labelNames: ['outcome'] as const,
    registers: this.#registers,
  });
  readonly mirrored = new Counter({
    name: 'covey_relay_mirrored_total',
    help: 'Events of external accounts that were brought here from their own relays',
    registers: this.#registers,
  });
  readonly cut = new Counter({
    name: 'covey_relay_connections_cut_total',
    help: 'Connections closed by us, by reason',
    labelNames: ['reason'] as const,
    registers: this.#registers,
  });
  readonly badFrames = new Counter({
    name: 'covey_relay_bad_frames_total',
    help: 'Messages that were no valid frame',
    registers: this.#registers,
  });
  readonly commitMs = new Histogram({
    name: 'covey_relay_commit_milliseconds',
    help: 'Time of a group commit with its sync to disk',
    buckets: [0.5, 1, 2, 5, 10, 20, 50, 100, 500],
    registers: this.#registers,
  });
  readonly commitWrites = new Histogram({
    name: 'covey_relay_commit_writes',
    help: 'Writes that shared a commit',
    buckets: [1, 2, 4, 8, 16, 32, 64, 128, 256, 512],
    registers: this.#registers,
  });

  /** Counts since start, for heartbeats. */
  accepted = 0;
  sentEvents = 0;

  constructor() {
    collectDefaultMetrics({ register: this.registry });
  }

  countSent(): void {
    this.sentEvents++;
    this.sent.inc();
  }

  /** Registers values by group that are read when metrics are collected. */
  gaugeByGroup(name: string, help: string, read: () => Promise<ReadonlyMap<number, number>>): void {
    new Gauge({
      name,
      help,
      labelNames: ['group'] as const,
      registers: this.#registers,
      async collect() {
        const values = await read();
        this.reset();
        for (const [group, value] of values) this.set({ group }, value);
      },
    });
  }

  /** Registers a fact, as the labels of a value that is always 1. */
  info(name: string, help: string, labels: Record<string, string>): void {
    new Gauge({ name, help, labelNames: Object.keys(labels), registers: this.#registers }).set(labels, 1);
  }

  /** Registers values by one label that are read when metrics are collected. */
  gaugeBy(name: string, help: string, label: string, read: () => Readonly<Record<string, number>>): void {
    new Gauge({
      name,
      help,
      labelNames: [label],
      registers: this.#registers,
      collect() {
        for (const [key, value] of Object.entries(read())) this.set({ [label]: key }, value);
      },
    });
  }

  /** Registers a value that is read when metrics are collected. */
  gauge(name: string, help: string, read: () => number): void {
    new Gauge({
      name,
      help,
      registers: this.#registers,
      collect() {
        this.set(read());
      },
    });
  }
}
