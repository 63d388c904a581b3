import type { NostrEvent } from '@covey/nostr';

/** Leading zero bits of an id (NIP-13). */
export function leadingZeroBits(id: string): number {
  const zeros = /^0*/.exec(id)![0].length;
  return zeros === id.length ? 4 * zeros : 4 * zeros + Math.clz32(Number.parseInt(id[zeros]!, 16)) - 28;
}

/**
 * Why an event's work does not suffice, or undefined when it does. The target must be committed to in the nonce tag: a
 * lucky id with a lower target did not cost what is asked for.
 */
export function lackOfWork(event: Pick<NostrEvent, 'id' | 'tags'>, bitsMin: number): string | undefined {
  if (bitsMin === 0) return undefined;
  const bits = leadingZeroBits(event.id);
  if (bits < bitsMin) return `difficulty ${bits} is less than ${bitsMin}`;
  const target = event.tags.find(([name]) => name === 'nonce')?.[2];
  if (target === undefined || !/^\d{1,3}$/.test(target))
    return `the nonce tag commits to no target; ${bitsMin} is asked for`;
  if (Number(target) < bitsMin) return `the committed target ${target} is less than ${bitsMin}`;
  return undefined;
}
