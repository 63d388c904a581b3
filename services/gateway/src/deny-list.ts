import { readFileSync, statSync } from 'node:fs';
import { isPlacedByTagged, placingKeys } from '@covey/enforcement';
import { type NostrEvent, parsePubkey } from '@covey/nostr';

/** Keys and kinds that the operator does not want on this machine, whatever a table says. */
export interface DenyList {
  pubkeys: ReadonlySet<string>;
  kinds: readonly { from: number; to: number }[];
  /** Lines that say neither, as `line 3: …`; the others count. */
  problems: readonly string[];
}

export class DenyListError extends Error {
  override name = 'DenyListError';
}

export const NOTHING_DENIED: DenyList = { pubkeys: new Set(), kinds: [], problems: [] };
const FILE_BYTES_MAX = 64 * 1024 * 1024;
const PROBLEMS_MAX = 10;
const KIND_LINE = /^kind[\s:=]\s*(?<from>\d{1,5})(?:\s*-\s*(?<to>\d{1,5}))?$/;

/** A line each: a public key (hex or npub), `kind 1063`, or `kind 30000-30003`. `#` begins a comment. */
export function parseDenyList(text: string): DenyList {
  const pubkeys = new Set<string>();
  const kinds: { from: number; to: number }[] = [];
  const problems: string[] = [];
  text.split('\n').forEach((whole, i) => {
    const line = whole.replace(/#.*/, '').trim();
    if (!line) return;
    try {
      const range = KIND_LINE.exec(line)?.groups;
      if (!range) {
        pubkeys.add(parsePubkey(line));
        return;
      }
      const from = Number(range['from']);
      const to = Number(range['to'] ?? from);
      if (from > to || to > 65_535) throw new Error('kinds go from 0 to 65535, the lower one first');
      kinds.push({ from, to });
    } catch (error) {
      if (problems.length < PROBLEMS_MAX) problems.push(`line ${i + 1}: ${(error as Error).message}`);
    }
  });
  return { pubkeys, kinds, problems };
}

/** @throws DenyListError when the file can't be read or is too large. */
export function readDenyList(path: string): DenyList {
  try {
    const { size } = statSync(path);
    if (size > FILE_BYTES_MAX) throw new Error(`it has ${size} bytes; at most ${FILE_BYTES_MAX} are read`);
    return parseDenyList(readFileSync(path, 'utf8'));
  } catch (cause) {
    throw new DenyListError(`the deny list ${path} can't be read: ${(cause as Error).message}`, { cause });
  }
}

/**
 * Why an event is denied. An event that lives with the accounts it is for (a gift wrap) is denied with its author, and
 * when all of those are denied.
 */
export function deniedBy(
  { pubkeys, kinds }: DenyList,
  event: Pick<NostrEvent, 'kind' | 'pubkey' | 'tags'>,
): 'key' | 'kind' | undefined {
  for (const { from, to } of kinds) if (event.kind >= from && event.kind <= to) return 'kind';
  if (pubkeys.size === 0) return undefined;
  if (pubkeys.has(event.pubkey)) return 'key';
  if (!isPlacedByTagged(event.kind)) return undefined;
  return placingKeys(event).every((key) => pubkeys.has(key)) ? 'key' : undefined;
}
