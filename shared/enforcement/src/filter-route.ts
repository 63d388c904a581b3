import { type Filter, isHex64 } from '@covey/nostr';
import { isDelivered } from './delivery.ts';
import { isPlacedByTagged } from './placing-keys.ts';

/** Keys of a filter that live at the same members, which this member has to ask. */
export interface Ask {
  /** Indexes of members that hold all of `keys`, the one to ask first at the front. */
  candidates: readonly number[];
  /** `authors`: narrow the filter to these authors. `p` or `t`: narrow its `#p` or `#t` to these. */
  by: 'authors' | 'p' | 't';
  keys: string[];
}

export interface FilterRoute {
  /** Empty when everything that the filter names lives here. What is stored here always counts too. */
  asks: Ask[];
  /**
   * Other members may hold matching events and no key in the filter says which: even with every ask answered, some may be
   * missing. So it is for filters without a key, and for lists that name an account, which stand with their authors.
   */
  open: boolean;
}

export interface FilterKeys {
  authors: readonly string[];
  tagged: readonly string[];
  hashtags: readonly string[];
}

const NONE: readonly string[] = [];

/** Which keys of a filter say where its events live: the fewest that are enough. */
export function filterKeys(filter: Filter): FilterKeys {
  const { authors, kinds, tags } = filter;
  const tagged = tags['p'] ?? NONE;
  const only = (keys: Partial<FilterKeys>): FilterKeys => ({
    authors: NONE,
    tagged: NONE,
    hashtags: NONE,
    ...keys,
  });
  if (kinds && kinds.length > 0 && kinds.every(isPlacedByTagged)) return only({ tagged });
  if (authors) return only({ authors, tagged: kinds?.some(isPlacedByTagged) ? tagged : NONE });
  if (tags['p']) return only({ tagged });
  return only({ hashtags: tags['t'] ?? NONE });
}

/**
 * @param readersOf the members to ask for a key, the same array for the same list; empty when the key lives here
 * @param readersOfHashtag the same for a hashtag, in any case
 */
export function routeFilter(
  filter: Filter,
  readersOf: (key: string) => readonly number[],
  readersOfHashtag: (hashtag: string) => readonly number[],
): FilterRoute {
  const keys = filterKeys(filter);
  const asks: Ask[] = [];
  const add = (by: Ask['by'], list: readonly string[], readers: (key: string) => readonly number[]) => {
    const byList = new Map<readonly number[], Ask>();
    for (const key of list) {
      const candidates = readers(key);
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
  // A `#p` value that is no pubkey has no home; what is here is all there is.
  add('authors', keys.authors, readersOf);
  add('p', keys.tagged.filter(isHex64), readersOf);
  add('t', keys.hashtags, (hashtag) => readersOfHashtag(hashtag.toLowerCase()));
  const nothing = [filter.authors, filter.ids, filter.kinds, ...Object.values(filter.tags)].some(
    (list) => list?.length === 0,
  );
  return { asks: nothing ? [] : asks, open: !nothing && !isCovered(filter, keys) };
}

/** Whether everything that fits lives at the members of the filter's keys, or is delivered there (delivery.ts). */
function isCovered({ kinds }: Filter, { authors, tagged, hashtags }: FilterKeys): boolean {
  if (authors.length > 0) return tagged.length > 0 || !kinds?.some(isPlacedByTagged);
  if (tagged.length > 0) return kinds?.every((kind) => isPlacedByTagged(kind) || isDelivered(kind)) === true;
  return hashtags.length > 0 && kinds?.every(isDelivered) === true;
}
