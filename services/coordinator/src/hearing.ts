/** Hears what is published on NATS; `NatsLink` is one. */
export interface Hearing {
  /** Calls `take` with every message on a subject, over all connections. Returns how to stop it. */
  hear(subject: string, take: (data: Uint8Array, subject: string) => void): () => void;
}
