import type { NatsLink } from '@covey/nats';
import { readAck, readHeartbeat, subjectsOf } from '@covey/protocol';
import type { Subscription } from '@nats-io/transport-node';
import type { MemberReports } from './member-reports.ts';

export interface ReportFeedOptions {
  link: NatsLink;
  cluster: string;
  reports: MemberReports;
  /** Ids of the members whose word counts, as they are now. */
  members: () => readonly string[];
  /** Milliseconds that do not jump. */
  nowMs: () => number;
}

/** Brings heartbeats and acknowledgements from NATS to MemberReports. What is malformed is passed over: others say so. */
export class ReportFeed {
  readonly #options: ReportFeedOptions;
  #subscriptions: Subscription[] = [];
  #stopListening: (() => void) | undefined;

  constructor(options: ReportFeedOptions) {
    this.#options = options;
  }

  start(): void {
    const { link, cluster, reports, nowMs } = this.#options;
    const subjects = subjectsOf(cluster);
    this.#stopListening = link.onConnect((connection) => {
      this.#unsubscribe();
      this.#subscriptions = [
        connection.subscribe(subjects.heartbeats, {
          callback: (error, { data, subject }) => {
            this.#take(
              error,
              subject,
              subjects.heartbeat,
              () => readHeartbeat(data),
              (beat) => {
                reports.heartbeat(beat, nowMs());
              },
            );
          },
        }),
        connection.subscribe(subjects.acks, {
          callback: (error, { data, subject }) => {
            this.#take(
              error,
              subject,
              subjects.ack,
              () => readAck(data),
              (ack) => reports.ack(ack),
            );
          },
        }),
      ];
    });
  }

  stop(): void {
    this.#stopListening?.();
    this.#unsubscribe();
  }

  #unsubscribe(): void {
    for (const subscription of this.#subscriptions) subscription.unsubscribe();
    this.#subscriptions = [];
  }

  /** The server lets a member publish under its own id alone, so the subject says who speaks. */
  #take<T extends { member: string }>(
    error: Error | null,
    subject: string,
    subjectOf: (member: string) => string,
    read: () => T,
    take: (message: T) => void,
  ): void {
    if (error) return;
    const members = this.#options.members();
    this.#options.reports.retain(members);
    try {
      const message = read();
      if (subject === subjectOf(message.member) && members.includes(message.member)) take(message);
    } catch {
      // Acknowledgements logs what is malformed.
    }
  }
}
