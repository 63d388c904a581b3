import type { TableMember } from '@covey/table';

export interface AccountRelayList {
  /** 32 bytes. */
  pubkey: Uint8Array;
  /** URLs that the account writes to, in the order of its kind 10002. */
  writeUrls: readonly string[];
}

/**
 * Accounts whose own relay list (NIP-65) names members: account number → member indexes in the list's order.
 * @param pubkeys 32 bytes an account, ascending; a list of an account that is not among them is passed over.
 */
export function pinsOf(
  lists: readonly AccountRelayList[],
  pubkeys: Uint8Array,
  members: readonly TableMember[],
): Map<number, readonly number[]> {
  const byUrl = new Map(members.map(({ url }, i) => [url, i]));
  const pins = new Map<number, readonly number[]>();
  for (const { pubkey, writeUrls } of lists) {
    const named = [...new Set(writeUrls.flatMap((url) => byUrl.get(url) ?? []))];
    if (named.length === 0) continue;
    const account = accountOf(pubkeys, pubkey);
    if (account >= 0) pins.set(account, named);
  }
  return pins;
}

/** Position of `key` among ascending 32-byte keys, or −1. */
function accountOf(pubkeys: Uint8Array, key: Uint8Array): number {
  let low = 0;
  let high = pubkeys.length / 32 - 1;
  while (low <= high) {
    const middle = (low + high) >>> 1;
    const order = Buffer.compare(pubkeys.subarray(middle * 32, middle * 32 + 32), key);
    if (order === 0) return middle;
    if (order < 0) low = middle + 1;
    else high = middle - 1;
  }
  return -1;
}
