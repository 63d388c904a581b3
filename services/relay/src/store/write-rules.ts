import { KIND, type NostrEvent, supersedes } from '@covey/nostr';
import type { WriteOutcome, WriteRequest, WriteResult } from './event-store.ts';
import { addressOf } from './keys.ts';
import type { SpoolBook, SpoolRows } from './spool-book.ts';

const ID = /^[0-9a-f]{64}$/;

export interface StoredRow {
  seq: number;
  event: NostrEvent;
}

/** What is stored, as one transaction sees it: all that the rules of writing read and change. */
export interface WriteView {
  has(id: string): boolean;
  /** The event with this id and author, when it is stored. */
  find(id: string, pubkey: string): StoredRow | undefined;
  /** The current version of a replaceable or addressable event. */
  current(address: string): StoredRow | undefined;
  isDeleted(id: string, pubkey: string): boolean;
  /** Up to when (Unix seconds) this address was deleted. */
  addressDeletedUntil(address: string): number | undefined;
  /** Up to when (Unix seconds) an account asked to vanish. */
  vanishedUntil(pubkey: string): number | undefined;
  /** @returns the event's number */
  insert(event: NostrEvent, address: string | undefined): number;
  remove(seq: number, event: NostrEvent): void;
  noteDeletedId(id: string, pubkey: string): void;
  noteDeletedAddress(address: string, until: number): void;
  markUnplaced(seq: number): void;
  markDelivered(seq: number): void;
  /** NIP-62: a first batch goes in the same transaction as the request, the rest is hidden and follows. */
  vanish(pubkey: string, until: number): void;
  readonly spool: SpoolRows;
}

/** Carries out one write by NIP-01's, NIP-09's and NIP-62's rules, the same ones whatever the store. */
export function applyWrite(
  view: WriteView,
  book: SpoolBook,
  { event, keep, unplaced, delivered, spool, vanish }: WriteRequest,
  nowMs: number,
): WriteResult {
  if (vanish) view.vanish(event.pubkey, event.created_at);
  if (!keep) {
    if (!spool) return { outcome: 'duplicate', dropped: [] };
    return book.add(view.spool, event, spool, nowMs);
  }
  const outcome = refusal(view, event);
  if (outcome) return { outcome, dropped: [] };
  const seq = view.insert(event, addressOf(event));
  if (event.kind === KIND.deletion) applyDeletion(view, event);
  if (unplaced) view.markUnplaced(seq);
  if (delivered) view.markDelivered(seq);
  if (!spool || spool.destinations.length === 0) return { outcome: 'stored', dropped: [] };
  // Members without room are repaired later; the event is safe here.
  const spooled = book.add(view.spool, event, spool, nowMs);
  return { outcome: 'stored', dropped: spooled.outcome === 'full' ? spool.destinations : spooled.dropped };
}

/** Why the event is not stored; undefined when it is to be. The version that it replaces goes. */
function refusal(view: WriteView, event: NostrEvent): WriteOutcome | undefined {
  if (view.has(event.id)) return 'duplicate';
  if (event.kind !== KIND.deletion && view.isDeleted(event.id, event.pubkey)) return 'deleted';
  if (hasVanished(view, event)) return 'deleted';
  const address = addressOf(event);
  if (address === undefined) return undefined;
  if ((view.addressDeletedUntil(address) ?? -1) >= event.created_at) return 'deleted';
  const current = view.current(address);
  if (!current) return undefined;
  if (!supersedes(event, current.event)) return 'superseded';
  view.remove(current.seq, current.event);
  return undefined;
}

/** Whether it must not be taken (again). The requests themselves are kept, as the reason. */
function hasVanished(view: WriteView, event: NostrEvent): boolean {
  if (event.kind === KIND.vanish) return false;
  return accountsOf(event).some((pubkey) => (view.vanishedUntil(pubkey) ?? -1) >= event.created_at);
}

/** Accounts whose request to vanish takes an event away: its author, and whom it is sealed for. */
export function accountsOf(event: NostrEvent): string[] {
  if (event.kind !== KIND.sealedDm) return [event.pubkey];
  const sealedFor = event.tags.filter(([name, value]) => name === 'p' && ID.test(value ?? ''));
  return [event.pubkey, ...sealedFor.map(([, value]) => value!)];
}

/** NIP-09: removes what the author names, and remembers it, so that a late copy does not bring it back. */
function applyDeletion(view: WriteView, deletion: NostrEvent): void {
  const { ids, addresses } = deletionTargets(deletion);
  for (const id of ids) {
    view.noteDeletedId(id, deletion.pubkey);
    const target = view.find(id, deletion.pubkey);
    if (target && target.event.kind !== KIND.deletion && target.event.kind !== KIND.vanish)
      view.remove(target.seq, target.event);
  }
  for (const address of addresses) {
    view.noteDeletedAddress(address, deletion.created_at);
    const target = view.current(address);
    if (target && target.event.created_at <= deletion.created_at) view.remove(target.seq, target.event);
  }
}

/** What a deletion names that may be its author's. */
export function deletionTargets(deletion: NostrEvent): { ids: string[]; addresses: string[] } {
  const ids = new Set<string>();
  const addresses = new Set<string>();
  for (const [name, value] of deletion.tags) {
    if (name === 'e' && value && ID.test(value)) ids.add(value);
    const address = name === 'a' && value ? ownAddress(value, deletion.pubkey) : undefined;
    if (address !== undefined) addresses.add(address);
  }
  return { ids: [...ids], addresses: [...addresses] };
}

/** The address in an `a` tag in our form, when it belongs to this author. */
function ownAddress(value: string, author: string): string | undefined {
  const match = /^(\d{1,5}):([0-9a-f]{64}):?(.*)$/s.exec(value);
  if (!match || match[2] !== author) return undefined;
  return addressOf({ kind: Number(match[1]), pubkey: author, tags: [['d', match[3]!]] });
}
