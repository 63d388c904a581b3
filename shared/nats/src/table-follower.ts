import type { NostrEvent } from '@covey/nostr';
import { subjectsOf } from '@covey/protocol';
import {
  COSIGNATURES_MAX,
  checkSuccessor,
  countSignatures,
  InvalidManifestError,
  type Manifest,
  Revocations,
} from '@covey/table';
import { type CurrentTable, TableCache, type TableStorage } from './table-cache.ts';
import { type HttpGet, type TableLink, TableWays } from './table-ways.ts';

const TABLE_BYTES_MAX = 1 << 30;
const POLL_MS = 15_000;
/** While NATS has a manifest, HTTP is asked only every so many polls: for a newer one. */
const HTTP_POLLS = 8;
/** Least time between two looks at members that say they have a newer table. */
const TOLD_MS_MIN = 2_000;
/** Places that are asked over HTTP for one table. */
const BASES_MAX = 3;

/** Why an epoch was not taken. The last good one goes on being served. */
export interface Refusal {
  epoch: number;
  root: string;
  error: Error;
}

/** Fewer coordinators stand behind an epoch than are asked for here; it is taken when the others have signed. */
export class TooFewSignaturesError extends Error {
  override name = 'TooFewSignaturesError';
}

export interface TableFollowerOptions {
  cluster: string;
  /** Root public keys (hex) that are trusted. */
  roots: readonly string[];
  /** Folder of its own for the last good table, or what stands for one. */
  dir: string | TableStorage;
  /** A `NatsLink`. Absent: only HTTP and the cached table are there. */
  link?: TableLink | undefined;
  /** How many coordinators must have signed an epoch; 1 when not given. */
  signaturesMin?: number | undefined;
  /** Where manifest and table can be had over HTTP when NATS does not have them: addresses that serve `/v1/table`. */
  httpBases?: ((current: CurrentTable | undefined) => readonly string[]) | undefined;
  /** Milliseconds between looks at whether there is something new; 15 s when not given. */
  pollMs?: number | undefined;
  /** A number of this process's own, so that all do not ask at the same time; its process id when not given. */
  turn?: number | undefined;
  /** `fetch` when not given. */
  get?: HttpGet | undefined;
  log: { info(fields: object, text: string): void; warn(fields: object, text: string): void };
  onRefused?: (refusal: Refusal) => void;
}

/**
 * Follows the cluster's placement table: the cached one first, then every manifest that a trusted root stands behind, by
 * deltas where they lead there, else by the snapshot, over NATS or HTTP. Epochs only rise. What fails a check is refused,
 * reported, and changes nothing. NATS is only the way here: without it the current table stays.
 */
export class TableFollower {
  readonly #options: TableFollowerOptions;
  readonly #cache: TableStorage;
  readonly #ways: TableWays;
  readonly #revocations: Revocations;
  readonly #listeners = new Set<(current: CurrentTable) => void>();
  readonly #signaturesMin: number;
  readonly #turn: number;
  #current: CurrentTable | undefined;
  #cosignatures: { epoch: number; events: readonly NostrEvent[] } = { epoch: 0, events: [] };
  #stopListening: (() => void)[] = [];
  #poll: NodeJS.Timeout | undefined;
  #polls = 0;
  #wanted: NostrEvent | undefined;
  /** Waits for more signatures. */
  #held: NostrEvent | undefined;
  #working: Promise<void> | undefined;
  #refused = '';
  #stopped = false;
  /** Where the manifest came from over HTTP that is being looked at: the table is there as well. */
  #offeredBy: string | undefined;
  #toldAtMs = Number.NEGATIVE_INFINITY;

  constructor(options: TableFollowerOptions) {
    this.#options = options;
    this.#signaturesMin = options.signaturesMin ?? 1;
    this.#turn = options.turn ?? process.pid;
    this.#cache = typeof options.dir === 'string' ? new TableCache(options.dir) : options.dir;
    this.#ways = new TableWays(
      options.cluster,
      (text, error) => options.log.info({ error: String(error) }, text),
      options.get,
    );
    this.#revocations = new Revocations(options.roots, options.cluster);
  }

  /** The epoch that is served now. */
  get current(): CurrentTable | undefined {
    return this.#current;
  }

  /** What roots have revoked, as far as is known here. */
  get revocations(): readonly NostrEvent[] {
    return this.#revocations.events;
  }

  /** Other coordinators' signatures over the current epoch, as far as they were looked for. */
  get cosignatures(): readonly NostrEvent[] {
    return this.#cosignatures.epoch === this.#current?.manifest.epoch ? this.#cosignatures.events : [];
  }

  /** Calls `listener` with every epoch from now on, and with the current one at once. Returns how to stop it. */
  onTable(listener: (current: CurrentTable) => void): () => void {
    this.#listeners.add(listener);
    if (this.#current) listener(this.#current);
    return () => this.#listeners.delete(listener);
  }

  /** Loads the cached table and begins to follow. Does not wait for NATS. */
  start(): void {
    const { roots, cluster, log, link, pollMs = POLL_MS } = this.#options;
    this.#learnRevocations(this.#cache.loadRevocations(), false);
    try {
      const cached = this.#cache.load(roots, cluster);
      if (cached) this.#apply(cached, 'the cache');
    } catch (error) {
      log.warn({ error: String(error) }, 'the cached table is not usable; waiting for a fresh one');
    }
    if (link) this.#listen(link);
    // Catches what was published while a subscription was being set up, and what only HTTP has. Spread by process.
    this.#poll = setInterval(
      () => void this.#look(),
      pollMs + Math.floor(pollMs * (this.#turn % 100) * 0.002),
    );
    this.#poll.unref();
    if (!link) void this.#look();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearInterval(this.#poll);
    for (const stop of this.#stopListening) stop();
    await this.#working;
  }

  /** Looks at every connect, behind the subscriptions: what comes out meanwhile is heard or found. */
  #listen(link: TableLink): void {
    const subjects = subjectsOf(this.#options.cluster);
    this.#stopListening = [
      link.hear(subjects.manifest, (data) => this.#offerBytes(data)),
      link.hear(subjects.revocations, (data) => this.#learnRevocations(readJson(data))),
      ...(this.#signaturesMin > 1
        ? [
            link.hear(subjects.allCosignatures, () => {
              if (this.#held) this.#offer(this.#held);
            }),
          ]
        : []),
      link.onConnect(() => void this.#look()),
    ];
  }

  /** Looks for revocations and the newest manifest, over NATS when it is there, over HTTP when it is not. */
  async #look(): Promise<void> {
    const { link } = this.#options;
    if (this.#stopped) return;
    const subjects = subjectsOf(this.#options.cluster);
    let found = false;
    if (link?.connected) {
      try {
        this.#learnRevocations(await this.#ways.lastOf(link, subjects.revocations));
        const manifest = await this.#ways.lastOf(link, subjects.manifest);
        if (manifest) this.#offer(manifest as NostrEvent);
        found = manifest !== undefined;
      } catch (error) {
        // No stream yet, no manifest yet, or NATS just went away: the next connect or poll asks again.
        this.#options.log.info({ error: String(error) }, 'no manifest to be had yet');
      }
    }
    if (!found || this.#polls % HTTP_POLLS === HTTP_POLLS - 1) await this.#lookOverHttp();
    this.#polls++;
  }

  /** Asks one place a time, another at each look. */
  async #lookOverHttp(base = this.#bases()[0]): Promise<void> {
    if (!base || this.#stopped) return;
    try {
      this.#learnRevocations(await this.#ways.revocationsAt(base));
      const manifest = await this.#ways.manifestAt(base, this.#current?.event.id);
      if (!manifest) return;
      this.#offeredBy = base;
      this.#offer(manifest);
    } catch (error) {
      this.#options.log.info({ base, error: String(error) }, 'no manifest to be had over HTTP');
    }
  }

  /**
   * A member that is reached at `memberUrl` says that it applies a newer epoch: it is asked for it, once in a while. What it
   * says is checked like everything else.
   */
  lookAt(memberUrl: string): void {
    const nowMs = performance.now();
    if (this.#stopped || nowMs - this.#toldAtMs < TOLD_MS_MIN) return;
    this.#toldAtMs = nowMs;
    void this.#lookOverHttp(memberUrl.replace(/^ws/, 'http').replace(/\/$/, ''));
  }

  /** Where the table may be had over HTTP: who offered the manifest, then the list turned by one at each look. */
  #bases(): string[] {
    const all = [...(this.#options.httpBases?.(this.#current) ?? [])];
    const turn = all.length > 0 ? (this.#polls + this.#turn) % all.length : 0;
    const rest = [...all.slice(turn), ...all.slice(0, turn)].filter((base) => base !== this.#offeredBy);
    return this.#offeredBy === undefined ? rest : [this.#offeredBy, ...rest];
  }

  #learnRevocations(list: unknown, save = true): void {
    if (!Array.isArray(list)) return;
    let news = false;
    for (const event of list.slice(0, 100)) {
      try {
        if (this.#revocations.add(event as NostrEvent)) news = true;
      } catch (error) {
        this.#options.log.warn({ error: String(error) }, 'a revocation is not valid');
      }
    }
    if (!news) return;
    if (save) this.#cache.saveRevocations(this.#revocations.events);
    this.#options.log.warn({ revoked: this.#revocations.events.length }, 'a coordinator’s key is revoked');
  }

  #offerBytes(data: Uint8Array): void {
    const event = readJson(data);
    if (event === undefined) this.#refuse(0, '', new InvalidManifestError('the manifest is not JSON'));
    else this.#offer(event as NostrEvent);
  }

  #offer(event: NostrEvent): void {
    this.#wanted = event;
    this.#working ??= this.#catchUp().finally(() => {
      this.#working = undefined;
      this.#offeredBy = undefined;
    });
  }

  /** Takes the newest manifest offered; those that it overtakes are never looked at. */
  async #catchUp(): Promise<void> {
    const { cluster, roots } = this.#options;
    while (this.#wanted && !this.#stopped) {
      const event = this.#wanted;
      this.#wanted = undefined;
      if (event.id === this.#current?.event.id) continue;
      let manifest: Manifest | undefined;
      try {
        manifest = checkSuccessor(event, this.#current, { roots, cluster, revocations: this.#revocations });
        if (manifest.tableBytes > TABLE_BYTES_MAX)
          throw new InvalidManifestError(`a table of ${manifest.tableBytes} bytes is too large`);
        await this.#checkSignatures(event, manifest);
        const next = await this.#fetch(event, manifest);
        this.#cache.save(next.current);
        this.#apply(next.current, next.way);
      } catch (error) {
        this.#held = error instanceof TooFewSignaturesError ? event : undefined;
        this.#refuse(manifest?.epoch ?? 0, manifest?.root ?? '', error as Error);
      }
    }
  }

  async #fetch(event: NostrEvent, manifest: Manifest): Promise<{ current: CurrentTable; way: string }> {
    const { table, way } = await this.#ways.obtain(
      manifest,
      this.#current?.table,
      this.#options.link,
      this.#bases().slice(0, BASES_MAX),
    );
    if (table.epoch !== manifest.epoch || table.cluster !== manifest.cluster)
      throw new InvalidManifestError('the table is for another epoch or cluster than its manifest says');
    return { current: { table, manifest, event }, way };
  }

  /** @throws TooFewSignaturesError */
  async #checkSignatures(event: NostrEvent, manifest: Manifest): Promise<void> {
    if (this.#signaturesMin <= 1) return;
    const { roots } = this.#options;
    const events = await this.#findCosignatures(manifest.epoch);
    const count = countSignatures(event.pubkey, manifest, events, roots, this.#revocations);
    if (count < this.#signaturesMin)
      throw new TooFewSignaturesError(
        `epoch ${manifest.epoch} waits for signatures: ${count} of the ${this.#signaturesMin} that are asked for here`,
      );
    this.#cosignatures = { epoch: manifest.epoch, events };
  }

  async #findCosignatures(epoch: number): Promise<NostrEvent[]> {
    const { link } = this.#options;
    const found: NostrEvent[] = [];
    const take = (list: unknown) => {
      if (Array.isArray(list)) found.push(...(list.slice(0, COSIGNATURES_MAX) as NostrEvent[]));
    };
    try {
      if (link?.connected)
        take(await this.#ways.lastOf(link, subjectsOf(this.#options.cluster).cosignatures(epoch)));
      else for (const base of this.#bases().slice(0, BASES_MAX)) take(await this.#ways.cosignaturesAt(base));
    } catch (error) {
      this.#options.log.info({ epoch, error: String(error) }, 'signatures could not be fetched');
    }
    return found;
  }

  #apply(next: CurrentTable, way: string): void {
    this.#current = next;
    this.#held = undefined;
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

function readJson(data: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(data));
  } catch {
    return undefined;
  }
}
