import type { NostrEvent } from '@covey/nostr';
import { subjectsOf } from '@covey/protocol';
import { applyDelta, type Manifest, merkleRoot, PlacementTable } from '@covey/table';

/** Longest chain of deltas that is followed before the snapshot is fetched instead. */
const DELTAS_MAX = 32;
const MANIFEST_BYTES_MAX = 1 << 20;
const HTTP_MS_MAX = 10_000;
/** A peer that sends nothing for so long (it stands still, or its machine is gone) is given up: others may have the table. */
const HTTP_SILENT_MS_MAX = 10_000;
/** A table of 512 MiB within it takes 4 MB/s. */
const TABLE_MS_MAX = 120_000;

type Note = (text: string, error: unknown) => void;

/** What following a table needs of NATS; `NatsLink` is one. */
export interface TableLink {
  readonly connected: boolean;
  /** Calls `listener` on every connect from now on, and at once when connected already. Returns how to stop it. */
  onConnect(listener: () => void): () => void;
  /** Calls `take` with every message on a subject, over all connections. Returns how to stop it. */
  hear(subject: string, take: (data: Uint8Array) => void): () => void;
  /** The last message on a subject of a stream; undefined when there is none. @throws when out of reach */
  last(stream: string, subject: string): Promise<Uint8Array | undefined>;
  /** An object of a bucket; undefined when there is none. @throws when out of reach */
  object(bucket: string, name: string): Promise<Uint8Array | undefined>;
}

/** The body of an answer 200, of at most `bytesMax`; undefined for 304 and 404. @throws for everything else */
export type HttpGet = (
  url: string,
  bytesMax: number,
  msMax: number,
  etag?: string,
) => Promise<Uint8Array | undefined>;

/** No way led to the table that a manifest names. */
export class TableUnavailableError extends Error {
  override name = 'TableUnavailableError';
}

/** The ways to a table: deltas and the snapshot over NATS, the snapshot over HTTP. Whatever comes must have the root. */
export class TableWays {
  readonly #cluster: string;
  readonly #note: Note;
  readonly #get: HttpGet;

  constructor(cluster: string, note: Note, get: HttpGet = getOverHttp) {
    this.#cluster = cluster;
    this.#note = note;
    this.#get = get;
  }

  /** @param bases where tables are served over HTTP. @throws TableUnavailableError */
  async obtain(
    manifest: Manifest,
    current: PlacementTable | undefined,
    link: TableLink | undefined,
    bases: readonly string[],
  ): Promise<{ table: PlacementTable; way: string }> {
    const ways: [string, () => Promise<PlacementTable>][] = [];
    const steps = current ? manifest.epoch - current.epoch : 0;
    if (link?.connected && current && steps > 0 && steps <= DELTAS_MAX)
      ways.push([`${steps} delta${steps > 1 ? 's' : ''}`, () => this.#byDeltas(manifest, current, link)]);
    if (link?.connected) ways.push(['the snapshot', () => this.#bySnapshot(manifest, link)]);
    for (const base of bases) ways.push([base, () => this.#byHttp(manifest, base)]);
    let last: unknown = new Error('there is no connection to NATS, and no place that serves it over HTTP');
    for (const [way, get] of ways) {
      try {
        return { table: await get(), way };
      } catch (error) {
        last = error;
        this.#note(`not by ${way}`, error);
      }
    }
    throw new TableUnavailableError(
      `no way to the table of epoch ${manifest.epoch}: ${(last as Error).message}`,
      { cause: last },
    );
  }

  async #byDeltas(manifest: Manifest, current: PlacementTable, link: TableLink): Promise<PlacementTable> {
    const subjects = subjectsOf(this.#cluster);
    let table = current;
    while (table.epoch < manifest.epoch) {
      const delta = await link.last(subjects.tableStream, subjects.delta(table.epoch + 1));
      if (!delta) throw new Error(`no delta to epoch ${table.epoch + 1}`);
      table = applyDelta(table, delta);
    }
    if (table.root !== manifest.root) throw new Error('the deltas lead to another table');
    return table;
  }

  async #bySnapshot(manifest: Manifest, link: TableLink): Promise<PlacementTable> {
    const { snapshotBucket } = subjectsOf(this.#cluster);
    const bytes = await link.object(snapshotBucket, manifest.root);
    if (!bytes) throw new Error(`no snapshot of epoch ${manifest.epoch} in the object store`);
    return checked(bytes, manifest);
  }

  async #byHttp(manifest: Manifest, base: string): Promise<PlacementTable> {
    const answer = await this.#get(`${base}/v1/table`, manifest.tableBytes, TABLE_MS_MAX);
    if (!answer) throw new Error('it has no table');
    return checked(answer, manifest);
  }

  /** The last messages on a subject of the table's stream, as JSON; undefined when there is none. */
  async lastOf(link: TableLink, subject: string): Promise<unknown> {
    const stored = await link.last(subjectsOf(this.#cluster).tableStream, subject);
    return stored && JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(stored));
  }

  /** The manifest that is served at `base`; undefined when it is still `known`. @param known id of a manifest event. */
  async manifestAt(base: string, known: string | undefined): Promise<NostrEvent | undefined> {
    return (await this.#json(`${base}/v1/manifest`, known)) as NostrEvent | undefined;
  }

  async revocationsAt(base: string): Promise<unknown> {
    return await this.#json(`${base}/v1/revocations`);
  }

  async cosignaturesAt(base: string): Promise<unknown> {
    return await this.#json(`${base}/v1/cosignatures`);
  }

  async #json(url: string, etag?: string): Promise<unknown> {
    const bytes = await this.#get(url, MANIFEST_BYTES_MAX, HTTP_MS_MAX, etag);
    return bytes && JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  }
}

function checked(bytes: Uint8Array, manifest: Manifest): PlacementTable {
  if (bytes.length !== manifest.tableBytes || merkleRoot(bytes) !== manifest.root)
    throw new Error('the snapshot is not the table that the manifest names');
  return new PlacementTable(bytes);
}

/** An `HttpGet` by `fetch`. @param silentMsMax without a byte, after which it is given up */
export async function getOverHttp(
  url: string,
  bytesMax: number,
  msMax: number,
  etag?: string,
  silentMsMax = HTTP_SILENT_MS_MAX,
): Promise<Uint8Array | undefined> {
  const silence = new AbortController();
  const giveUp = () => silence.abort(new Error(`nothing came for ${silentMsMax / 1000} s`));
  let timer = setTimeout(giveUp, silentMsMax);
  try {
    const response = await fetch(url, {
      redirect: 'error',
      signal: AbortSignal.any([AbortSignal.timeout(msMax), silence.signal]),
      headers: etag ? { 'if-none-match': `"${etag}"` } : {},
    });
    if (response.status === 304 || response.status === 404) {
      await response.body?.cancel();
      return undefined;
    }
    if (!response.ok || !response.body) throw new Error(`HTTP ${response.status}`);
    const parts: Uint8Array[] = [];
    let length = 0;
    for await (const part of response.body) {
      clearTimeout(timer);
      timer = setTimeout(giveUp, silentMsMax);
      parts.push(part);
      length += part.length;
      if (length > bytesMax) throw new Error(`more than ${bytesMax} bytes`);
    }
    return Buffer.concat(parts);
  } finally {
    clearTimeout(timer);
  }
}
