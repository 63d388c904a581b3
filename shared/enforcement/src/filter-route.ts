import { type Filter, isHex64 } from '@covey/nostr';
import { isPlacedByTagged } from './placing-keys.ts';

/** Keys of a filter that live at the same members, which this member has to ask. */
export interface Ask {
  /** Indexes of members that hold all of `keys`, the one to ask first at the front. */
  candidates: readonly number[];
  /** `authors`: narrow the filter to these authors. `p`: narrow its `#p` to these. */
  by: 'authors' | 'p';
  keys: string[];
}

export interface FilterRoute {
  /** Empty when everything that the filter names lives here. What is stored here always counts too. */
  asks: Ask[];
  /**
   * Other members may hold matching events and no key in the filter says which: even with every ask answered, some may be
   * missing. So it is for filters without a key, and for mentions, which stand with their authors.
   */
  open: boolean;
}

/** Which keys of a filter say where its events live. */
export function filterKeys(filter: Filter): { authors: readonly string[]; tagged: readonly string[] } {
  const { authors, kinds, tags } = filter;
  const tagged = tags['p'] ?? [];
  const none: readonly string[] = [];
  if (kinds && kinds.length > 0 && kinds.every(isPlacedByTagged)) return { authors: none, tagged };
  if (!authors) return { authors: none, tagged };
  return { authors, tagged: kinds?.some(isPlacedByTagged) ? tagged : none };
}

/** @param readersOf the members to ask for a key, the same array for the same list; empty when the key lives here */
export function routeFilter(filter: Filter, readersOf: (key: string) => readonly number[]): FilterRoute {
  const { authors, tagged } = filterKeys(filter);
  const asks: Ask[] = [];
  const add = (by: Ask['by'], keys: readonly string[]) => {
    const byList = new Map<readonly number[], Ask>();
    for (const key of keys) {
      if (!isHex64(key)) continue; // a `#p` value that is no pubkey has no home; what is here is all there is
      const candidates = readersOf(key);
      if (candidates.length === 0) continue;
      let ask = byList.get(candidates);
      if (!ask) {
        ask = { candidates, by, keys: [] };
        byList.set(candidates, ask);
        asks.push(ask);
      }
      ask.keys.push(key);
    }
  };
  add('authors', authors);
  add('p', tagged);
  const nothing = [filter.authors, filter.ids, filter.kinds, ...Object.values(filter.tags)].some(
    (list) => list?.length === 0,
  );
  return { asks: nothing ? [] : asks, open: !nothing && !isCovered(filter, authors, tagged) };
}

/** Whether everything that fits lives at the members of the filter's keys. */
function isCovered({ kinds }: Filter, authors: readonly string[], tagged: readonly string[]): boolean {
  if (authors.length > 0) return tagged.length > 0 || !kinds?.some(isPlacedByTagged);
  return tagged.length > 0 && kinds?.every(isPlacedByTagged) === true;
}
