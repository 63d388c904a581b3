import { isHex64, type NostrEvent } from './event.ts';
import { matchesSearch, queryWords } from './search.ts';

/** A NIP-01 filter. Tag conditions stand under their letter in `tags` ("#p" → "p"). */
export interface Filter {
  ids?: string[];
  authors?: string[];
  kinds?: number[];
  since?: number;
  until?: number;
  limit?: number;
  /** Words to be found in the text (NIP-50). */
  search?: string;
  tags: Record<string, string[]>;
}

export interface FilterLimits {
  /** Most values that one filter may list, over all its fields. */
  valuesMax: number;
}

const SEARCH_CHARACTERS_MAX = 256;

export class InvalidFilterError extends Error {
  override name = 'InvalidFilterError';
}

function hexList(name: string, value: unknown): string[] {
  if (!Array.isArray(value) || !value.every(isHex64))
    throw new InvalidFilterError(`${name} must be a list of 64-digit lower-case hex strings`);
  return [...new Set(value)];
}

function wholeNumber(name: string, value: unknown): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0)
    throw new InvalidFilterError(`${name} must be a whole number, 0 or more`);
  return value;
}

/**
 * The filter in `value`. Unknown fields are ignored, as NIP-01 clients expect of relays that do not know them.
 * @throws InvalidFilterError naming the field that is wrong or over its bound.
 */
export function parseFilter(value: unknown, limits: FilterLimits): Filter {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new InvalidFilterError('a filter is a JSON object');
  const filter: Filter = { tags: {} };
  let values = 0;
  for (const [name, v] of Object.entries(value)) {
    if (name === 'ids' || name === 'authors') values += (filter[name] = hexList(name, v)).length;
    else if (name === 'since' || name === 'until' || name === 'limit') filter[name] = wholeNumber(name, v);
    else if (name === 'search') {
      if (typeof v !== 'string' || v.length > SEARCH_CHARACTERS_MAX || !v.isWellFormed())
        throw new InvalidFilterError(`search must be a string of up to ${SEARCH_CHARACTERS_MAX} characters`);
      filter.search = v;
    } else if (name === 'kinds') {
      if (!Array.isArray(v) || !v.every((k) => Number.isInteger(k) && k >= 0 && k <= 65535))
        throw new InvalidFilterError('kinds must be a list of whole numbers from 0 to 65535');
      values += (filter.kinds = [...new Set(v as number[])]).length;
    } else if (/^#[A-Za-z]$/.test(name)) {
      if (!Array.isArray(v) || !v.every((t) => typeof t === 'string'))
        throw new InvalidFilterError(`${name} must be a list of strings`);
      values += (filter.tags[name.slice(1)] = [...new Set(v as string[])]).length;
    }
    if (values > limits.valuesMax)
      throw new InvalidFilterError(`a filter may list ${limits.valuesMax} values; split it into several`);
  }
  return filter;
}

/** The JSON form of a filter. */
export function filterToJson(filter: Filter): Record<string, unknown> {
  const { tags, ...fields } = filter;
  const json: Record<string, unknown> = { ...fields };
  for (const [letter, values] of Object.entries(tags)) json[`#${letter}`] = values;
  return json;
}

/** Whether an event fits a filter; `limit` plays no part. An empty list matches nothing. */
export function matchesFilter(filter: Filter, event: NostrEvent): boolean {
  if (filter.ids && !filter.ids.includes(event.id)) return false;
  if (filter.authors && !filter.authors.includes(event.pubkey)) return false;
  if (filter.kinds && !filter.kinds.includes(event.kind)) return false;
  if (filter.since !== undefined && event.created_at < filter.since) return false;
  if (filter.until !== undefined && event.created_at > filter.until) return false;
  for (const [letter, values] of Object.entries(filter.tags))
    if (!event.tags.some((tag) => tag[0] === letter && tag[1] !== undefined && values.includes(tag[1])))
      return false;
  return filter.search === undefined || matchesSearch(wordsSought(filter), event);
}

const wordsOfFilters = new WeakMap<Filter, string[]>();

/** The words that a filter searches for. */
export function wordsSought(filter: Filter): string[] {
  let words = wordsOfFilters.get(filter);
  if (!words) wordsOfFilters.set(filter, (words = queryWords(filter.search ?? '')));
  return words;
}
