import { closeSync, fstatSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseEvent } from '@covey/nostr';
import { type Manifest, PlacementTable, verifyManifest } from '@covey/table';
import { tableRoot } from './table-root.ts';

export interface CachedTable {
  table: PlacementTable;
  manifest: Manifest;
}

/** The folder holds something, and it can't be used. Says what, and changes nothing. */
export class CachedTableError extends Error {
  override name = 'CachedTableError';
}

export const MANIFEST_FILE = 'manifest.json';
const MANIFEST_BYTES_MAX = 16 * 1024 * 1024;
const TABLE_BYTES_MAX = 1 << 30;

/**
 * The epoch that a TableFollower (of @covey/nats) keeps in `dir`, checked as if it had just arrived: a root key that is
 * trusted here stands behind its manifest, and the table is the one that the manifest names. Reads only, and needs no NATS
 * client: a process that decides for a relay is up long before one is loaded.
 * @param roots trusted root public keys, hex
 * @returns undefined when there is none yet
 * @throws CachedTableError
 */
export function readCachedTable(
  dir: string,
  roots: readonly string[],
  cluster: string,
): CachedTable | undefined {
  const manifestPath = join(dir, MANIFEST_FILE);
  try {
    const text = readBounded(manifestPath, MANIFEST_BYTES_MAX);
    if (!text) return undefined;
    const manifest = verifyManifest(parseEvent(JSON.parse(text.toString('utf8'))), roots, cluster);
    const tablePath = join(dir, `table-${manifest.root}.bin`);
    const bytes = readBounded(tablePath, TABLE_BYTES_MAX);
    if (!bytes) throw new Error(`${tablePath} is missing`);
    if (bytes.length !== manifest.tableBytes || tableRoot(bytes) !== manifest.root)
      throw new Error('the cached table is not the one that its manifest names');
    const table = new PlacementTable(bytes);
    if (table.epoch !== manifest.epoch || table.cluster !== cluster)
      throw new Error('the cached table is for another epoch or cluster than its manifest says');
    return { table, manifest };
  } catch (cause) {
    throw new CachedTableError(`${manifestPath}: ${(cause as Error).message}`, { cause });
  }
}

/** The whole file, or undefined when there is none. */
function readBounded(path: string, bytesMax: number): Buffer | undefined {
  let file: number;
  try {
    file = openSync(path, 'r');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  try {
    const { size } = fstatSync(file);
    if (size > bytesMax) throw new Error(`${path} has ${size} bytes; at most ${bytesMax} are read`);
    return readFileSync(file);
  } finally {
    closeSync(file);
  }
}
