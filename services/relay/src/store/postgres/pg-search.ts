import { type NostrEvent, searchedText, wordsOf } from '@covey/nostr';
import { SEARCH_MATCHES_MAX } from '../answer.ts';
import type { Sql } from './connection.ts';
import { list } from './values.ts';

/** The different words of an event, cut by our own rules; undefined for kinds that are not searched. */
export function indexedWords(event: NostrEvent): string[] | undefined {
  const text = searchedText(event);
  return text === undefined ? undefined : [...new Set(wordsOf(text))];
}

/** Where events with all of these words are, the latest that came first; at most SEARCH_MATCHES_MAX + 1. */
export async function findWords(sql: Sql, words: readonly string[]): Promise<number[]> {
  const rows = await sql<
    { seq: number }[]
  >`SELECT seq FROM search WHERE words @> ${list(sql, 'text', words as string[])}::text[]
    ORDER BY seq DESC LIMIT ${SEARCH_MATCHES_MAX + 1}`;
  return rows.map(({ seq }) => seq);
}
