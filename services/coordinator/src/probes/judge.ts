import type { MemberCapacity, Probe } from '@covey/postgres';

/** So many outcomes in a row, and a member that goes astray is given nothing new. */
export const ASTRAY_MAX = 3;
/** A member is slow when it takes so many times as long as the median member, and more than this. */
const SLOW_FACTOR = 4;
const SLOW_MS = 1_000;
/** Timed outcomes that a verdict on slowness needs. */
const TIMED_MIN = 4;
/** The least that is left of a capacity: by halves. */
const HALVINGS_MAX = 3;

/** Whether the newest outcomes (newest first) show that a member acknowledges tables and does not keep to them. Pure. */
export function goesAstray(outcomes: readonly Pick<Probe, 'outcome'>[]): boolean {
  const reached = outcomes.filter(({ outcome }) => outcome !== 'unreachable').slice(0, ASTRAY_MAX);
  return reached.length === ASTRAY_MAX && reached.every(({ outcome }) => outcome === 'astray');
}

/**
 * By how many halves each member's capacity is cut because it answers slower than it should with what it declares: one for
 * each doubling beyond four times the median member. A member that claims more than its machine gives loses what it
 * claims; one that is well again gets it back. Pure.
 * @param outcomes newest first, by member.
 */
export function halvingsBySlowness(
  outcomes: ReadonlyMap<string, readonly Pick<Probe, 'ms'>[]>,
): Map<string, number> {
  const typical = new Map<string, number>();
  for (const [member, list] of outcomes) {
    const times = list.flatMap(({ ms }) => ms ?? []);
    if (times.length >= TIMED_MIN) typical.set(member, median(times));
  }
  const all = [...typical.values()];
  const halvings = new Map<string, number>();
  // Against two others there is no telling who is the odd one.
  if (all.length < 3) return halvings;
  const usual = Math.max(1, median(all));
  for (const [member, ms] of typical) {
    let count = 0;
    for (let bound = SLOW_FACTOR * usual; ms > Math.max(bound, SLOW_MS) && count < HALVINGS_MAX; bound *= 2)
      count++;
    if (count > 0) halvings.set(member, count);
  }
  return halvings;
}

export function halved(capacity: MemberCapacity, halvings: number): MemberCapacity {
  const factor = 2 ** -halvings;
  return {
    copies: capacity.copies * factor,
    connections: capacity.connections * factor,
    reads: capacity.reads * factor,
  };
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1]!;
}
