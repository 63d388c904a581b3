/**
 * A seeded source of numbers in [0, 1) with 32 bits of resolution: sfc32 (Doty-Humphrey's PractRand), its four words
 * filled by splitmix32 from the seed (a string is first folded with FNV-1a), twelve values discarded.
 * The same seed gives the same sequence on every engine: only 32-bit integer operations are used.
 */
export function seededRng(seed: number | string): () => number {
  const next = seededUint32(seed);
  return () => next() / 4294967296;
}

/** The same generator, as unsigned 32-bit integers. */
export function seededUint32(seed: number | string): () => number {
  let state =
    typeof seed === 'string' ? fnv1a(seed) : (seed ^ Math.imul((seed / 4294967296) | 0, 0x9e3779b9)) >>> 0;
  const split = (): number => {
    state = (state + 0x9e3779b9) | 0;
    let z = state ^ (state >>> 16);
    z = Math.imul(z, 0x21f0aaad);
    z ^= z >>> 15;
    z = Math.imul(z, 0x735a2d97);
    return z ^ (z >>> 15);
  };
  let a = split();
  let b = split();
  let c = split();
  let counter = split();
  const next = (): number => {
    const sum = (((a + b) | 0) + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = ((c << 21) | (c >>> 11)) + sum;
    c |= 0;
    return sum >>> 0;
  };
  for (let i = 0; i < 12; i++) next();
  return next;
}

function fnv1a(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}
