/** Either a least rank, in units of 1 / RANK_ONE, or how many accounts at most. */
export type Admission = { readonly threshold: number } | { readonly count: number };

/**
 * Marks with 1 the accounts that the search places; the others live by hash. Rank 0 is never admitted. A ring that can
 * gain B (see `shiftBound`) gets at most B / threshold accounts in. Take the threshold from RANK_ONE and from how many
 * accounts the search can serve, not from how many there are: fake accounts would lower it.
 *
 * With `count`, accounts of equal rank at the border are all left out, so that the numbering never decides; where all
 * ranks are equal (no seeds), that is everybody or nobody.
 * @throws RangeError when threshold is not a positive number, or count not a whole number of at least 0
 */
export function admit(ranks: Float64Array, admission: Admission): Uint8Array {
  const least = 'threshold' in admission ? positive(admission.threshold) : border(ranks, admission.count);
  const admitted = new Uint8Array(ranks.length);
  for (let node = 0; node < ranks.length; node++) {
    if (ranks[node] > 0 && ranks[node] >= least) admitted[node] = 1;
  }
  return admitted;
}

function positive(threshold: number): number {
  if (threshold > 0) return threshold;
  throw new RangeError(`threshold is ${threshold}; give a positive rank, in units of 1 / RANK_ONE`);
}

/** The least rank that at most `count` accounts reach. */
function border(ranks: Float64Array, count: number): number {
  if (!Number.isInteger(count) || count < 0) {
    throw new RangeError(`count is ${count}; give a whole number of at least 0`);
  }
  if (count >= ranks.length) return 0;
  const ascending = ranks.toSorted();
  const firstOut = ascending[ranks.length - count - 1];
  let at = ranks.length - count;
  while (at < ascending.length && ascending[at] === firstOut) at++;
  return at < ascending.length ? ascending[at] : Number.POSITIVE_INFINITY;
}
