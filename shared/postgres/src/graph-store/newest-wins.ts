/** What decides between two lists of the same account and kind. */
export interface ListVersion {
  /** Unix seconds. */
  createdAt: number;
  /** 32 bytes as hex: the event's id; of an unsigned list the SHA-256 of its followees. */
  id: string;
  signed: boolean;
}

/**
 * What becomes of a list that arrives:
 * - `new`: the account had none
 * - `replaces`: it takes the place of the one that stands
 * - `duplicate`: it is the one that stands
 * - `stale`: one that stands is newer
 * - `yields`: it is unsigned, and a signed one stands, whatever its date
 */
export type Decision = 'new' | 'replaces' | 'duplicate' | 'stale' | 'yields';

/**
 * Which of two lists stands: a signed one over an unsigned one; then the newer; of two equally old ones the one with the
 * lowest id (NIP-01). A total order, so the list that stands does not depend on the order in which lists arrive.
 */
export function decideList(standing: ListVersion | undefined, arriving: ListVersion): Decision {
  if (!standing) return 'new';
  if (standing.signed !== arriving.signed) return arriving.signed ? 'replaces' : 'yields';
  if (standing.id === arriving.id && standing.createdAt === arriving.createdAt) return 'duplicate';
  if (arriving.createdAt !== standing.createdAt)
    return arriving.createdAt > standing.createdAt ? 'replaces' : 'stale';
  return arriving.id < standing.id ? 'replaces' : 'stale';
}
