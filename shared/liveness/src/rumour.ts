/** `alive` serves; `returning` is alive and catches up before it serves again. */
export type Status = 'alive' | 'returning' | 'suspect' | 'dead';

/** What is told of one member. */
export interface Rumour {
  /** Public key, hex. */
  member: string;
  status: Status;
  /** Raised by the member alone, whenever it says something new of itself. Starts at the Unix milliseconds of its start. */
  incarnation: number;
  /** Of a suspicion: members that probed it in vain, each by itself. */
  by: readonly string[];
}

/** Rumours in one message. */
export const RUMOURS_MAX = 32;
/** Members named by one suspicion. */
export const BY_MAX = 4;

const RANK: Record<Status, number> = { alive: 0, returning: 0, suspect: 1, dead: 2 };

/**
 * Whether `next` is news against `known` (SWIM, section 4.2): a higher incarnation always is, the same one when it is worse.
 * Only the member itself raises its incarnation, so that it can refute what is said of it.
 */
export function supersedes(
  next: Pick<Rumour, 'status' | 'incarnation'>,
  known: Pick<Rumour, 'status' | 'incarnation'>,
): boolean {
  if (next.incarnation !== known.incarnation) return next.incarnation > known.incarnation;
  return RANK[next.status] > RANK[known.status];
}

/** The form on the wire: `[[member, status, incarnation, ...by], …]`. */
export function writeRumours(rumours: readonly Rumour[]): unknown[] {
  return rumours.map(({ member, status, incarnation, by }) => [member, status, incarnation, ...by]);
}

/** Reads what another member tells; undefined when it is malformed. */
export function parseRumours(value: unknown): Rumour[] | undefined {
  if (!Array.isArray(value) || value.length > RUMOURS_MAX) return undefined;
  const rumours: Rumour[] = [];
  for (const item of value) {
    if (!Array.isArray(item)) return undefined;
    const [member, status, incarnation, ...by] = item as unknown[];
    if (!isMember(member) || !isStatus(status) || !by.every(isMember) || by.length > BY_MAX) return undefined;
    if (!Number.isSafeInteger(incarnation) || (incarnation as number) < 0) return undefined;
    rumours.push({ member, status, incarnation: incarnation as number, by });
  }
  return rumours;
}

function isMember(value: unknown): value is string {
  return typeof value === 'string' && /^[0-9a-f]{64}$/.test(value);
}

function isStatus(value: unknown): value is Status {
  return typeof value === 'string' && Object.hasOwn(RANK, value);
}
