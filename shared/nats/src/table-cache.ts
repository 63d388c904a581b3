import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import type { NostrEvent } from '@covey/nostr';
import { type Manifest, PlacementTable, verifyManifest } from '@covey/table';

/** An epoch that was checked: the table, its manifest, and the event that carries the manifest. */
export interface CurrentTable {
  table: PlacementTable;
  manifest: Manifest;
  event: NostrEvent;
}

/** Where the last good table is kept; `TableCache` is one. */
export interface TableStorage {
  /** The epoch that was kept, verified. Undefined when there is none. @throws when it is damaged */
  load(roots: readonly string[], cluster: string): CurrentTable | undefined;
  loadRevocations(): NostrEvent[];
  saveRevocations(events: readonly NostrEvent[]): void;
  /** Settled when it returns: it would survive a power failure. @throws when the disk refuses */
  save(current: CurrentTable): void;
}

/** The last good table, kept in a folder of the service's own, so that it serves from the first moment after a restart. */
export class TableCache implements TableStorage {
  readonly #dir: string;

  /** @throws when the folder can't be made. */
  constructor(dir: string) {
    this.#dir = dir;
    mkdirSync(dir, { recursive: true });
  }

  /** The cached epoch, verified as if it had just arrived. Undefined when there is none. @throws when it is damaged. */
  load(roots: readonly string[], cluster: string): CurrentTable | undefined {
    let text: string;
    try {
      text = readFileSync(join(this.#dir, 'manifest.json'), 'utf8');
    } catch {
      return undefined;
    }
    const event: NostrEvent = JSON.parse(text);
    const manifest = verifyManifest(event, roots, cluster);
    const table = new PlacementTable(new Uint8Array(readFileSync(this.#tablePath(manifest.root))));
    if (table.root !== manifest.root)
      throw new Error('the cached table is not the one that its manifest names');
    return { table, manifest, event };
  }

  /** Revocations that were heard of; none when the file is missing or damaged. */
  loadRevocations(): NostrEvent[] {
    try {
      const list: unknown = JSON.parse(readFileSync(join(this.#dir, 'revocations.json'), 'utf8'));
      return Array.isArray(list) ? list : [];
    } catch {
      return [];
    }
  }

  saveRevocations(events: readonly NostrEvent[]): void {
    this.#write(join(this.#dir, 'revocations.json'), JSON.stringify(events));
  }

  /** Keeps this epoch and drops the one before; a crash at any moment leaves one of the two whole. */
  save({ table, manifest, event }: CurrentTable): void {
    this.#write(this.#tablePath(manifest.root), table.bytes);
    this.#write(join(this.#dir, 'manifest.json'), JSON.stringify(event));
    const keep = this.#tablePath(manifest.root);
    for (const name of readdirSync(this.#dir)) {
      const path = join(this.#dir, name);
      if (/^table-[0-9a-f]{64}\.bin(\.new)?$/.test(name) && path !== keep) rmSync(path, { force: true });
    }
  }

  #tablePath(root: string): string {
    return join(this.#dir, `table-${root}.bin`);
  }

  #write(path: string, data: string | Uint8Array): void {
    const fresh = `${path}.new`;
    writeFileSync(fresh, data);
    const file = openSync(fresh, 'r');
    fsyncSync(file);
    closeSync(file);
    renameSync(fresh, path);
  }
}
