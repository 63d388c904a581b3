import { isAddressable, type NostrEvent } from './event.ts';

/** Kinds whose text is searched (NIP-50): profiles, notes, articles. */
export const SEARCHED_KINDS: readonly number[] = [0, 1, 30023];

/** Characters of an event that are searched; a long article is found by its beginning. */
const TEXT_CHARACTERS_MAX = 16_384;
/** Words of a query that count. */
export const SEARCH_WORDS_MAX = 16;
const PROFILE_FIELDS = ['name', 'display_name', 'about', 'nip05'];

// Scripts that are written without spaces are searched character by character.
const WORDS =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}]|[[\p{L}\p{N}]--[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}]]+/gv;
/** `key:value` pairs are extensions of NIP-50, none of which is known here; a URL is not one. */
const EXTENSIONS = /(?<=^|\s)[a-z_]+:(?!\/\/)\S*/gi;

/** The words of a text: letters and digits alone, in lower case, without diacritics. Each once. */
export function wordsOf(text: string): string[] {
  const plain = text.normalize('NFKD').replace(/\p{M}/gu, '').toLowerCase();
  return [...new Set(plain.match(WORDS))];
}

/** The words that an event must have to fit a NIP-50 query. */
export function queryWords(search: string): string[] {
  return wordsOf(search.replace(EXTENSIONS, ' ')).slice(0, SEARCH_WORDS_MAX);
}

/** What of an event is searched, or undefined for kinds that are not. */
export function searchedText({ kind, content, tags }: NostrEvent): string | undefined {
  if (!SEARCHED_KINDS.includes(kind)) return undefined;
  const parts = kind === 0 ? profileTexts(content) : [content];
  if (isAddressable(kind))
    for (const [name, value] of tags)
      if ((name === 'title' || name === 'summary') && value) parts.unshift(value);
  return parts.join('\n').slice(0, TEXT_CHARACTERS_MAX);
}

function profileTexts(content: string): string[] {
  try {
    const profile: unknown = JSON.parse(content);
    if (typeof profile !== 'object' || profile === null) return [];
    return PROFILE_FIELDS.map((field) => (profile as Record<string, unknown>)[field]).filter(
      (text) => typeof text === 'string',
    );
  } catch {
    return []; // a profile that is no JSON has no text
  }
}

/** Whether an event has all the words of a query. A query without words fits everything. */
export function matchesSearch(words: readonly string[], event: NostrEvent): boolean {
  if (words.length === 0) return true;
  const text = searchedText(event);
  if (text === undefined) return false;
  const found = new Set(wordsOf(text));
  return words.every((word) => found.has(word));
}
