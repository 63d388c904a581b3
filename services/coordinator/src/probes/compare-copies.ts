import { isPlacedByTagged } from '@covey/enforcement';
import { isAddressable, isEphemeral, isHex64, isReplaceable, KIND, type NostrEvent } from '@covey/nostr';
import type { PlacementTable } from '@covey/table';
import { type ExchangeOptions, exchange } from '../relay-exchange.ts';

/** What was written so lately may be on its way; what is older than that may have been dropped by a member's retention. */
const SETTLED_SECONDS = 120;
const WINDOW_SECONDS = 6 * 3600;
/** Events that one holder is asked for, and that are compared of one member in a round. */
const ASKED = 200;
const COMPARED_MAX = 100;
/** Members asked for what they have, until something to compare was found. */
const SOURCES_MAX = 4;

export interface CompareOptions extends ExchangeOptions {
  /** Unix milliseconds. */
  nowMs: () => number;
  /** Between the first and the second look. */
  againMs?: number;
}

export interface Comparison {
  /** Events that two other holders gave, and this member should have too. */
  compared: number;
  /** Of these, ids that it did not give, asked twice. */
  withheld: string[];
}

/**
 * Compares what a member gives to readers with what the other holders of the same accounts give: a member that withholds
 * some events passes every probe that uses accounts of its own. An event counts when two other holders give it and this member
 * did not in two looks; it says that it was written between two minutes and six hours ago, its kind is not one that is replaced, and its
 * group does not move. It is no proof: signatures are not looked at, and an account may tell one relay alone to forget it (NIP-62). @throws when the member can't be reached
 */
export async function compareCopies(
  table: PlacementTable,
  member: number,
  options: CompareOptions,
): Promise<Comparison> {
  const { url } = table.members[member]!;
  for (const source of sourcesFor(table, member)) {
    const given = await sample(table, member, source, options).catch(() => []);
    const agreed = await seenElsewhere(table, member, source, given, options);
    if (agreed.length === 0) continue;
    const lacks = async (events: readonly NostrEvent[]) => {
      const has = new Set((await readAll(url, filterFor(events), options)).map(({ id }) => id));
      return events.filter(({ id }) => !has.has(id));
    };
    let missing = await lacks(agreed);
    if (missing.length > 0) {
      await new Promise((resolve) => setTimeout(resolve, options.againMs ?? 10_000));
      missing = await lacks(missing);
      // Deleted everywhere between the looks.
      missing = await seenElsewhere(table, member, source, missing, options);
    }
    return { compared: agreed.length, withheld: missing.map(({ id }) => id) };
  }
  return { compared: 0, withheld: [] };
}

/** Other members: those next in the table, so that over all members each is asked as often. */
function sourcesFor(table: PlacementTable, member: number): number[] {
  const count = table.members.length;
  return Array.from({ length: count - 1 }, (_, i) => (member + 1 + i) % count)
    .filter((other) => table.members[other]!.state === 'active')
    .slice(0, SOURCES_MAX);
}

/** Events of late that `source` gives, and that `member` holds by the table too. */
async function sample(
  table: PlacementTable,
  member: number,
  source: number,
  options: CompareOptions,
): Promise<NostrEvent[]> {
  const now = Math.floor(options.nowMs() / 1000);
  const filter = { since: now - WINDOW_SECONDS, until: now - SETTLED_SECONDS, limit: ASKED };
  const events = await readAll(table.members[source]!.url, filter, options);
  return events
    .filter((event) => counts(event) && holdersOf(table, event, member, source).length > 0)
    .slice(0, COMPARED_MAX);
}

/** Those of the events that a third holder gives as well. */
async function seenElsewhere(
  table: PlacementTable,
  member: number,
  source: number,
  events: readonly NostrEvent[],
  options: CompareOptions,
): Promise<NostrEvent[]> {
  const byHolder = new Map<number, NostrEvent[]>();
  for (const event of events) {
    const third = holdersOf(table, event, member, source)[0]!;
    byHolder.set(third, [...(byHolder.get(third) ?? []), event]);
  }
  const seen: NostrEvent[] = [];
  for (const [third, asked] of byHolder) {
    const given = await readAll(table.members[third]!.url, filterFor(asked), options).catch(() => []);
    const has = new Set(given.map(({ id }) => id));
    seen.push(...asked.filter(({ id }) => has.has(id)));
  }
  return seen;
}

/** Active holders of an event's account beside the two, when both hold it and it does not move. */
function holdersOf(table: PlacementTable, event: NostrEvent, member: number, source: number): number[] {
  const { members, move } = table.locate(event.pubkey);
  if (move || !members.includes(member) || !members.includes(source)) return [];
  return members.filter(
    (other) => other !== member && other !== source && table.members[other]!.state === 'active',
  );
}

/** Regular events alone: of others, an older version may rightly be gone. */
function counts({ kind, pubkey, id, tags }: NostrEvent): boolean {
  const isRegular = !isReplaceable(kind) && !isAddressable(kind) && !isEphemeral(kind);
  const isElsewhere = kind === KIND.deletion || isPlacedByTagged(kind);
  const goes = tags.some(([name]) => name === '-' || name === 'expiration');
  return isHex64(pubkey) && isHex64(id) && isRegular && !isElsewhere && !goes;
}

function filterFor(events: readonly NostrEvent[]): object {
  return {
    ids: events.map(({ id }) => id),
    authors: [...new Set(events.map(({ pubkey }) => pubkey))],
    limit: events.length,
  };
}

/** All that a REQ gives until its EOSE. @throws when the relay can't be reached, or ends the subscription */
async function readAll(url: string, filter: object, options: ExchangeOptions): Promise<NostrEvent[]> {
  const events: NostrEvent[] = [];
  const end = await exchange(url, ['REQ', 'c', filter], options, ([type, , value]) => {
    if (type === 'EVENT' && typeof value === 'object' && value !== null) events.push(value as NostrEvent);
    if (type === 'CLOSED') return String(value).slice(0, 100);
    return type === 'EOSE' || events.length > ASKED ? '' : undefined;
  });
  if (end !== '') throw new Error(`${url} ends a subscription: ${end}`);
  return events;
}
