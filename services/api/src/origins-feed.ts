import type { Logger } from '@covey/log';
import type { NatsLink } from '@covey/nats';
import { readMirrored, subjectsOf } from '@covey/protocol';
import { type AccountOrigins, OriginsReading, type OwnRelayList } from './account-origins.ts';
import type { TableSource } from './table-source.ts';

/** Between two readings of all relay lists; a failed one is tried again sooner. */
const READ_MS = 15 * 60_000;
const RETRY_MS = 5_000;
/** Lists that are read; with more, the rest is taken to be native. */
const LISTS_MAX = 1_000_000;

export interface RelayListReader {
  /** All relay lists, page by page. */
  relayLists(): AsyncIterable<readonly OwnRelayList[]>;
}

/** Fills AccountOrigins: relay lists from the coordinator's database now and then, what is mirrored from NATS. */
export class OriginsFeed {
  readonly #origins: AccountOrigins;
  readonly #source: TableSource;
  readonly #reader: RelayListReader | undefined;
  readonly #nats: { link: NatsLink; cluster: string } | undefined;
  readonly #log: Pick<Logger, 'debug' | 'warn'>;
  #stops: (() => void)[] = [];
  #members: readonly string[] = [];
  #timer: NodeJS.Timeout | undefined;
  #reading = false;
  #stopped = false;

  constructor(
    origins: AccountOrigins,
    source: TableSource,
    reader: RelayListReader | undefined,
    nats: { link: NatsLink; cluster: string } | undefined,
    log: Pick<Logger, 'debug' | 'warn'>,
  ) {
    this.#origins = origins;
    this.#source = source;
    this.#reader = reader;
    this.#nats = nats;
    this.#log = log;
  }

  start(): void {
    this.#stops.push(
      this.#source.onTable(({ table }) => {
        this.#origins.retain(new Set(table.members.map(({ id }) => id)));
        const urls = table.members.map(({ url }) => url);
        if (urls.join() === this.#members.join()) return;
        this.#members = urls;
        void this.read();
      }),
    );
    if (!this.#nats) return;
    const { link, cluster } = this.#nats;
    this.#stops.push(
      link.onConnect((connection) => {
        connection.subscribe(subjectsOf(cluster).mirroreds, {
          callback: (error, message) => {
            if (!error) this.#take(message.data);
          },
        });
      }),
    );
  }

  #take(data: Uint8Array): void {
    try {
      const mirrored = readMirrored(data);
      this.#origins.mirrored(
        mirrored,
        this.#source.current?.table.memberIndex(mirrored.member) !== undefined,
      );
    } catch (error) {
      this.#log.debug({ error: String(error) }, 'message passed over');
    }
  }

  /** Reads all relay lists, once a table says who the members are. */
  async read(): Promise<void> {
    if (!this.#reader || this.#members.length === 0 || this.#reading || this.#stopped) return;
    this.#reading = true;
    clearTimeout(this.#timer);
    const members = this.#members;
    let againMs = READ_MS;
    try {
      const reading = new OriginsReading(members);
      let lists = 0;
      for await (const page of this.#reader.relayLists()) {
        for (const list of page) reading.add(list);
        lists += page.length;
        if (lists >= LISTS_MAX || this.#stopped) break;
      }
      if (lists >= LISTS_MAX)
        this.#log.warn({ lists }, 'more relay lists than are read: the rest counts as native');
      this.#origins.replace(reading);
    } catch (error) {
      this.#log.debug({ error: String(error) }, 'relay lists could not be read; trying again');
      againMs = RETRY_MS;
    }
    this.#reading = false;
    if (this.#stopped) return;
    if (members !== this.#members) return await this.read();
    this.#timer = setTimeout(() => void this.read(), againMs);
    this.#timer.unref();
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
    for (const stop of this.#stops) stop();
  }
}
