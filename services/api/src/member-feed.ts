import type { Logger } from '@covey/log';
import type { NatsLink } from '@covey/nats';
import { readAck, readHeartbeat, subjectsOf } from '@covey/protocol';
import type { MemberStates } from './member-states.ts';
import type { TableSource } from './table-source.ts';

const WATCH_MS = 1_000;
const STORED_ACK_MS_MAX = 2_000;
type Connection = NonNullable<NatsLink['connection']>;

/** Fills MemberStates from NATS: heartbeats and acknowledgements as they come, and the stored last acknowledgements. */
export class MemberFeed {
  readonly #link: NatsLink;
  readonly #cluster: string;
  readonly #states: MemberStates;
  readonly #source: TableSource;
  readonly #log: Pick<Logger, 'debug'>;
  #stops: (() => void)[] = [];
  #subscriptions: { unsubscribe(): void }[] = [];

  constructor(
    link: NatsLink,
    cluster: string,
    states: MemberStates,
    source: TableSource,
    log: Pick<Logger, 'debug'>,
  ) {
    this.#link = link;
    this.#cluster = cluster;
    this.#states = states;
    this.#source = source;
    this.#log = log;
  }

  start(): void {
    const watch = setInterval(() => this.#states.listening(this.#link.connection !== undefined), WATCH_MS);
    watch.unref();
    this.#stops = [
      () => clearInterval(watch),
      this.#source.onTable(({ table }) => {
        this.#states.retain(table.members.map((member) => member.id));
        if (this.#link.connection) void this.#readStored(this.#link.connection);
      }),
      this.#link.onConnect((connection) => this.#listen(connection)),
    ];
  }

  stop(): void {
    for (const stop of this.#stops) stop();
    for (const subscription of this.#subscriptions) subscription.unsubscribe();
    this.#stops = [];
    this.#subscriptions = [];
  }

  #listen(connection: Connection): void {
    for (const subscription of this.#subscriptions) subscription.unsubscribe();
    const { heartbeats, acks } = subjectsOf(this.#cluster);
    this.#subscriptions = [
      this.#subscribe(connection, heartbeats, (data) => this.#states.heartbeat(readHeartbeat(data))),
      this.#subscribe(connection, acks, (data) => this.#states.ack(readAck(data))),
    ];
    this.#states.listening(true);
    void this.#readStored(connection);
  }

  #subscribe(connection: Connection, subject: string, take: (data: Uint8Array) => void) {
    return connection.subscribe(subject, {
      callback: (error, message) => {
        if (!error) this.#try(message.subject, () => take(message.data));
      },
    });
  }

  /** A message that is not what its subject promises is passed over. */
  #try(subject: string, take: () => void): void {
    try {
      take();
    } catch (error) {
      this.#log.debug({ subject, error: String(error) }, 'message passed over');
    }
  }

  /** The last acknowledgement of each member, which its stream keeps: known before the next heartbeat. */
  async #readStored(connection: Connection): Promise<void> {
    const subjects = subjectsOf(this.#cluster);
    for (const { id } of this.#source.current?.table.members ?? []) {
      const subject = subjects.ack(id);
      try {
        const message = await connection.request(
          `$JS.API.DIRECT.GET.${subjects.ackStream}.${subject}`,
          undefined,
          {
            timeout: STORED_ACK_MS_MAX,
          },
        );
        if (!message.headers?.code) this.#try(subject, () => this.#states.storedAck(readAck(message.data)));
      } catch {
        return; // no stream yet, or NATS just went away: heartbeats tell the epoch as well
      }
    }
  }
}
