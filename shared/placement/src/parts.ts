/**
 * Cuts communities into parts of at most `partSize` accounts and joins small communities to parts of about that size,
 * in order of community number. Accounts keep their order within a community, so the result depends on nothing else.
 */
export function communityParts(communityOf: Uint32Array, partSize: number): Uint32Array[] {
  let count = 0;
  for (let account = 0; account < communityOf.length; account++) {
    if (communityOf[account] >= count) count = communityOf[account] + 1;
  }
  const starts = new Uint32Array(count + 1);
  for (let account = 0; account < communityOf.length; account++) {
    starts[communityOf[account] + 1]++;
  }
  for (let community = 0; community < count; community++) starts[community + 1] += starts[community];
  const ordered = new Uint32Array(starts[count]);
  const cursor = starts.slice();
  for (let account = 0; account < communityOf.length; account++) {
    ordered[cursor[communityOf[account]]++] = account;
  }
  const parts: Uint32Array[] = [];
  let open = 0;
  for (let community = 0; community < count; community++) {
    const from = starts[community];
    const size = starts[community + 1] - from;
    if (size >= partSize) {
      if (open < from) parts.push(ordered.subarray(open, from));
      const pieces = Math.ceil(size / partSize);
      for (let piece = 0; piece < pieces; piece++) {
        const start = from + Math.floor((size * piece) / pieces);
        parts.push(ordered.subarray(start, from + Math.floor((size * (piece + 1)) / pieces)));
      }
      open = from + size;
    } else if (from + size - open > partSize) {
      if (open < from) parts.push(ordered.subarray(open, from));
      open = from;
    }
  }
  if (open < ordered.length) parts.push(ordered.subarray(open));
  return parts;
}
