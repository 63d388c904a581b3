/**
 * A 32-bit hash of two 32-bit integers (the finaliser of MurmurHash3 over both): for choices that need to look random
 * and be the same everywhere, not for keys that strangers choose.
 */
export function mix32(a: number, b: number): number {
  let h = Math.imul(a ^ (a >>> 16), 0x85ebca6b) ^ Math.imul(b + 0x9e3779b9, 0xc2b2ae35);
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
