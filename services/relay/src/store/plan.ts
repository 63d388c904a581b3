import { type Filter, wordsSought } from '@covey/nostr';
import { tagKey } from './keys.ts';

/** One range of an index, whose rows come in answering order. */
export type Range =
  | { index: 'author-kind'; pubkey: Uint8Array; kind: number }
  | { index: 'author'; pubkey: Uint8Array }
  | { index: 'kind'; kind: number }
  | { index: 'tag'; key: Uint8Array }
  | { index: 'time' };

export interface QueryPlan {
  /** Ids to look up one by one; ranges are empty then. */
  ids?: readonly string[];
  /** Words to look up in the search index; ranges are empty then. */
  words?: readonly string[];
  ranges: Range[];
  /** Kinds that a row must have, checked before the event is fetched. */
  kinds?: ReadonlySet<number>;
  /** The index does not cover every condition: an event that is found must be checked against the whole filter. */
  check: boolean;
}

/** Up to this many pairs of author and kind are looked up by pair; more, by author. */
const PAIRS_MAX = 4096;
/** With tags in the filter as well, up to this many authors are taken as the more selective condition. */
const SELECTIVE_AUTHORS_MAX = 4;

/** Whether a filter names an empty list, which nothing fits. */
export function isImpossible(filter: Filter): boolean {
  const lists = [filter.ids, filter.authors, filter.kinds, ...Object.values(filter.tags)];
  return lists.some((list) => list?.length === 0);
}

/** How to find a filter's events by indexes: exact, with the fewest rows to pass over that the filter alone tells. */
export function planQuery(filter: Filter): QueryPlan {
  const { ids, authors, kinds, tags } = filter;
  const letters = Object.keys(tags);
  if (ids) return { ids, ranges: [], check: true };
  const words = wordsSought(filter);
  if (words.length > 0) {
    // A few authors, or somebody who is tagged, have fewer events than a word.
    if ((authors?.length ?? Infinity) <= SELECTIVE_AUTHORS_MAX || tags['e'] || tags['a'])
      return { ...planQuery({ ...filter, search: '' }), check: true };
    return { words, ranges: [], check: true };
  }
  if (authors && (letters.length === 0 || authors.length <= SELECTIVE_AUTHORS_MAX))
    return { ...authorRanges(authors, kinds), check: letters.length > 0 };
  if (letters.length > 0) {
    // Values that name one thing (#e, #p, #a …) are rarer than words; fewer values, fewer rows.
    const rank = (letter: string) => ('epaqEPAi'.includes(letter) ? 0 : 1e6) + tags[letter]!.length;
    const best = letters.reduce((a, b) => (rank(b) < rank(a) ? b : a));
    const ranges = tags[best]!.map((value): Range => ({ index: 'tag', key: tagKey(best, value) }));
    const check = authors !== undefined || letters.length > 1;
    return { ranges, check, ...(kinds ? { kinds: new Set(kinds) } : {}) };
  }
  if (kinds) return { ranges: kinds.map((kind): Range => ({ index: 'kind', kind })), check: false };
  return { ranges: [{ index: 'time' }], check: false };
}

function authorRanges(
  authors: readonly string[],
  kinds: readonly number[] | undefined,
): Pick<QueryPlan, 'ranges' | 'kinds'> {
  const pubkeys = authors.map((author) => Buffer.from(author, 'hex'));
  if (kinds && pubkeys.length * kinds.length <= PAIRS_MAX)
    return {
      ranges: pubkeys.flatMap((pubkey) =>
        kinds.map((kind): Range => ({ index: 'author-kind', pubkey, kind })),
      ),
    };
  return {
    ranges: pubkeys.map((pubkey): Range => ({ index: 'author', pubkey })),
    ...(kinds ? { kinds: new Set(kinds) } : {}),
  };
}
