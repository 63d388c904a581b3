import { readAck, readHeartbeat, subjectsOf } from '@covey/protocol';
import type { Hearing } from '../hearing.ts';
import type { MemberReports } from './member-reports.ts';

export interface ReportFeedOptions {
  link: Hearing;
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
  #stopHearing: (() => void)[] = [];

  constructor(options: ReportFeedOptions) {
    this.#options = options;
  }

  start(): void {
    const { link, cluster, reports, nowMs } = this.#options;
    const subjects = subjectsOf(cluster);
    this.#stopHearing = [
      link.hear(subjects.heartbeats, (data, subject) =>
        this.#take(
          subject,
          subjects.heartbeat,
          () => readHeartbeat(data),
          (beat) => reports.heartbeat(beat, nowMs()),
        ),
      ),
      link.hear(subjects.acks, (data, subject) =>
        this.#take(
          subject,
          subjects.ack,
          () => readAck(data),
          (ack) => reports.ack(ack),
        ),
      ),
    ];
  }

  stop(): void {
    for (const stop of this.#stopHearing.splice(0)) stop();
  }

  /** The server lets a member publish under its own id alone, so the subject says who speaks. */
  #take<T extends { member: string }>(
    subject: string,
    subjectOf: (member: string) => string,
    read: () => T,
    take: (message: T) => void,
  ): void {
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
