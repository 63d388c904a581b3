import type { Logger } from '@covey/log';
import type { NostrEvent } from '@covey/nostr';
import { PlacementTable } from '@covey/table';
import { type ExchangeOptions, publishEvent } from './relay-exchange.ts';

/** Members that are tried for one event before it is left to the next epoch. */
const MEMBERS_TRIED_MAX = 5;

/**
 * Publishes the heads of the cluster as ordinary events at its own members: the manifest, the root's certificate of this
 * coordinator, and revocations. So a client that knows one relay and a root key finds the table with nothing else. The
 * members place and copy them like any event; the newest manifest replaces the one before. One epoch at a time, the newest
 * first; what fails is made good by the next one.
 */
export class ManifestEvents {
  readonly #options: ExchangeOptions;
  readonly #log: Pick<Logger, 'info'>;
  #next: { events: NostrEvent[]; snapshot: Uint8Array } | undefined;
  #working: Promise<void> | undefined;
  #stopped = false;
  /** Ids of events that members have: certificate and revocations go out once. */
  readonly #published = new Set<string>();

  constructor(options: ExchangeOptions, log: Pick<Logger, 'info'>) {
    this.#options = options;
    this.#log = log;
  }

  /** Does not wait. @param events certificate and revocations first, the manifest last. */
  publish(events: NostrEvent[], snapshot: Uint8Array): void {
    this.#next = { events, snapshot };
    if (this.#stopped) return;
    this.#working ??= this.#run().finally(() => {
      this.#working = undefined;
    });
  }

  /** Waits until what was given is published or has failed. */
  async settled(): Promise<void> {
    await this.#working;
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#working;
  }

  async #run(): Promise<void> {
    while (this.#next && !this.#stopped) {
      const { events, snapshot } = this.#next;
      this.#next = undefined;
      const table = new PlacementTable(snapshot);
      for (const event of events)
        if (!this.#published.has(event.id) && (await this.#one(event, table))) this.#published.add(event.id);
    }
  }

  /** At a member that holds the author, where there is one that answers. */
  async #one(event: NostrEvent, table: PlacementTable): Promise<boolean> {
    const holders = table.locate(event.pubkey).members;
    const others = table.members.map((_, i) => i).filter((i) => !holders.includes(i));
    for (const index of [...holders, ...others].slice(0, MEMBERS_TRIED_MAX)) {
      const { url } = table.members[index]!;
      if (this.#stopped) return false;
      try {
        const { ok, message } = await publishEvent(url, event, this.#options);
        if (ok) return true;
        this.#log.info({ url, kind: event.kind, message }, 'a member did not take a head of the cluster');
      } catch (error) {
        this.#log.info({ url, kind: event.kind, error: String(error) }, 'a member could not be reached');
      }
    }
    return false;
  }
}
