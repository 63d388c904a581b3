import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { isHex64 } from '@covey/nostr';
import { displayName } from './display-name.ts';
import { SourceBrokenError, type SourceChunk } from './source-chunk.ts';
import { unsignedFollows, unsignedProfile } from './unsigned-list.ts';

const LISTS_A_CHUNK = 200;
/** The package asks for a root to measure distances from, which are not used here. */
const NO_ROOT = '0'.repeat(64);

/** The crawl of the npm package nostr-social-graph: follow lists with their dates, and names. */
export async function* snapshotChunks(source: string): AsyncGenerator<SourceChunk> {
  const { followedByUser, followListCreatedAt, str } = await read(async () => {
    const { SocialGraph } = await import('nostr-social-graph/dist/nostr-social-graph.es.js');
    const graph = await SocialGraph.fromBinary(NO_ROOT, await readFile(dataPath('socialGraph.bin')));
    return graph.getInternalData();
  });
  const seen = new Set<string>();
  let lists: NonNullable<SourceChunk['lists']> = [];
  for (const [author, followees] of followedByUser) {
    const keys = Array.from(followees, str);
    const list = unsignedFollows(str(author), keys, followListCreatedAt.get(author) ?? 0, source);
    seen.add(str(author));
    for (const key of keys) seen.add(key);
    lists.push(list);
    if (lists.length < LISTS_A_CHUNK) continue;
    yield { lists, position: 'follow lists' };
    lists = [];
  }
  yield { lists, position: 'follow lists' };
  const profiles = await read(async () => JSON.parse(await readFile(dataPath('profileData.json'), 'utf8')));
  lists = [];
  for (const row of profiles as unknown[]) {
    if (!Array.isArray(row) || !isHex64(row[0]) || !seen.has(row[0])) continue;
    const name = displayName(row[1]);
    if (name) lists.push(unsignedProfile(row[0], name, source));
  }
  yield { lists, position: 'names' };
}

function dataPath(file: string): string {
  const manifest = createRequire(import.meta.url).resolve('nostr-social-graph/package.json');
  return join(manifest, '..', 'data', file);
}

async function read<T>(part: () => Promise<T>): Promise<T> {
  try {
    return await part();
  } catch (cause) {
    throw new SourceBrokenError(
      `the package nostr-social-graph can't be read (${(cause as Error).message}); run npm ci again`,
      { retry: false, cause },
    );
  }
}
