import type { NostrEvent } from '@covey/nostr';
import { subjectsOf } from '@covey/protocol';
import { applyDelta, type Manifest, merkleRoot, PlacementTable, verifyManifest } from '@covey/table';
import { jetstreamManager } from '@nats-io/jetstream';
import { Objm } from '@nats-io/obj';
import type { NatsConnection, Subscription } from '@nats-io/transport-node';
import type { NatsLink } from './link.ts';
import { type CurrentTable, TableCache } from './table-cache.ts';

/** Longest chain of deltas that is followed before the snapshot is fetched instead. */
const DELTAS_MAX = 32;
const TABLE_BYTES_MAX = 1 << 30;
const POLL_MS = 15_000;

/** Why an epoch was not taken. The last good one goes on being served. */
export interface Refusal {
  epoch: number;
  root: string;
  error: Error;
}

export interface TableFollowerOptions {
  cluster: string;
  /** Root public keys (hex) that are trusted. */
  roots: readonly string[];
  /** Folder of its own for the last good table. */
  dir: string;
  /** Absent: only the cached table is served. */
  link?: NatsLink | undefined;
  log: { info(fields: object, text: string): void; warn(fields: object, text: string): void };
  onRefused?: (refusal: Refusal) => void;
}

/**
 * Follows the cluster's placement table: the cached one first, then every manifest that a trusted root stands behind, by
 * deltas where they lead there, else by the snapshot. Epochs only rise. What fails a check is refused, reported, and
 * changes nothing. NATS is only the way here: without it the current table stays.
 */
export class TableFollower {
  readonly #options: TableFollowerOptions;
  readonly #cache: TableCache;
  readonly #listeners = new Set<(current: CurrentTable) => void>();
  #current: CurrentTable | undefined;
  #subscription: Subscription | undefined;
  #stopListening: (() => void) | undefined;
  #poll: NodeJS.Timeout | undefined;
  #wanted: NostrEvent | undefined;
  #working: Promise<void> | undefined;
  #refused = '';
  #stopped = false;

  constructor(options: TableFollowerOptions) {
    this.#options = options;
    this.#cache = new TableCache(options.dir);
  }

  /** The epoch that is served now. */
  get current(): CurrentTable | undefined {
    return this.#current;
  }

  /** Calls `listener` with every epoch from now on, and with the current one at once. Returns how to stop it. */
  onTable(listener: (current: CurrentTable) => void): () => void {
    this.#listeners.add(listener);
    if (this.#current) listener(this.#current);
    return () => this.#listeners.delete(listener);
  }

  /** Loads the cached table and begins to follow. Does not wait for NATS. */
  start(): void {
    const { roots, cluster, log, link } = this.#options;
    try {
      const cached = this.#cache.load(roots, cluster);
      if (cached) this.#apply(cached, 'the cache');
    } catch (error) {
      log.warn({ error: String(error) }, 'the cached table is not usable; waiting for a fresh one');
    }
    this.#stopListening = link?.onConnect((connection) => this.#listen(connection));
    // Catches a manifest that was published while a subscription was being set up.
    this.#poll = setInterval(
      () => this.#refresh(),
      POLL_MS + Math.floor(POLL_MS * (process.pid % 100) * 0.002),
    );
    this.#poll.unref();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearInterval(this.#poll);
    this.#stopListening?.();
    this.#subscription?.unsubscribe();
    await this.#working;
  }

  #listen(connection: NatsConnection): void {
    this.#subscription?.unsubscribe();
    this.#subscription = connection.subscribe(subjectsOf(this.#options.cluster).manifest, {
      callback: (error, message) => {
        if (!error) this.#offer(message.data);
      },
    });
    this.#refresh();
  }

  /** Asks the stream for its last manifest. */
  #refresh(): void {
    const connection = this.#options.link?.connection;
    if (!connection || this.#stopped) return;
    const { tableStream, manifest } = subjectsOf(this.#options.cluster);
    void (async () => {
      try {
        const manager = await jetstreamManager(connection, { checkAPI: false });
        const stored = await manager.direct.getMessage(tableStream, { last_by_subj: manifest });
        if (stored) this.#offer(stored.data);
      } catch (error) {
        // No stream yet, no manifest yet, or NATS just went away: the next connect or poll asks again.
        this.#options.log.info({ error: String(error) }, 'no manifest to be had yet');
      }
    })();
  }

  #offer(data: Uint8Array): void {
    try {
      this.#wanted = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(data));
    } catch (error) {
      this.#refuse(0, '', error as Error);
      return;
    }
    this.#working ??= this.#catchUp().finally(() => {
      this.#working = undefined;
    });
  }

  /** Takes the newest manifest offered; those that it overtakes are never looked at. */
  async #catchUp(): Promise<void> {
    while (this.#wanted && !this.#stopped) {
      const event = this.#wanted;
      this.#wanted = undefined;
      if (event.id === this.#current?.event.id) continue;
      let manifest: Manifest | undefined;
      try {
        manifest = verifyManifest(event, this.#options.roots, this.#options.cluster);
        const epoch = this.#current?.manifest.epoch ?? 0;
        if (manifest.epoch <= epoch)
          throw new Error(`epoch ${manifest.epoch} is not after epoch ${epoch}, which is applied here`);
        if (manifest.tableBytes > TABLE_BYTES_MAX)
          throw new Error(`a table of ${manifest.tableBytes} bytes is too large`);
        const { table, way } = await this.#obtain(manifest);
        if (table.epoch !== manifest.epoch || table.cluster !== manifest.cluster)
          throw new Error('the table is for another epoch or cluster than its manifest says');
        const next = { table, manifest, event };
        this.#cache.save(next);
        this.#apply(next, way);
      } catch (error) {
        this.#refuse(manifest?.epoch ?? 0, manifest?.root ?? '', error as Error);
      }
    }
  }

  async #obtain(manifest: Manifest): Promise<{ table: PlacementTable; way: string }> {
    const connection = this.#options.link?.connection;
    if (!connection) throw new Error('NATS went away before the table was fetched');
    const subjects = subjectsOf(this.#options.cluster);
    const steps = manifest.epoch - (this.#current?.manifest.epoch ?? 0);
    if (this.#current && steps <= DELTAS_MAX) {
      try {
        const manager = await jetstreamManager(connection, { checkAPI: false });
        let table = this.#current.table;
        while (table.epoch < manifest.epoch) {
          const delta = await manager.direct.getMessage(subjects.tableStream, {
            last_by_subj: subjects.delta(table.epoch + 1),
          });
          if (!delta) throw new Error(`no delta to epoch ${table.epoch + 1}`);
          table = applyDelta(table, delta.data);
        }
        if (table.root === manifest.root) return { table, way: `${steps} delta${steps > 1 ? 's' : ''}` };
      } catch (error) {
        this.#options.log.info({ error: String(error) }, 'no deltas lead there; fetching the snapshot');
      }
    }
    const bucket = await new Objm(connection).open(subjects.snapshotBucket, { check: false });
    const bytes = await bucket.getBlob(manifest.root);
    if (!bytes) throw new Error(`no snapshot of epoch ${manifest.epoch} in the object store`);
    if (bytes.length !== manifest.tableBytes || merkleRoot(bytes) !== manifest.root)
      throw new Error('the snapshot is not the table that the manifest names');
    return { table: new PlacementTable(bytes), way: 'the snapshot' };
  }

  #apply(next: CurrentTable, way: string): void {
    this.#current = next;
    this.#refused = '';
    const { epoch, root } = next.manifest;
    this.#options.log.info({ epoch, root, accounts: next.table.accounts, way }, 'table applied');
    for (const listener of this.#listeners) listener(next);
  }

  /** The same refusal is reported once, not at every poll. */
  #refuse(epoch: number, root: string, error: Error): void {
    const reason = `${epoch} ${error.message}`;
    if (reason === this.#refused) return;
    this.#refused = reason;
    this.#options.log.warn({ epoch, error: error.message }, 'table refused');
    this.#options.onRefused?.({ epoch, root, error });
  }
}
