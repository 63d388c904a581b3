/**
 * −ln(u) for u = (hash + 1) / 2³², as an integer in units of 2⁻²⁴: the only logarithm that decides a byte of a table,
 * so it is computed with integers below 2⁵³ alone and rounded down at every step. An implementation in another language
 * must give the same integers; vectors stand in fixed-log.test.ts.
 *
 * Method (Clay S. Turner, "A fast binary logarithm algorithm", 2010): normalise to a 26-bit mantissa in [1, 2), then
 * square 24 times; each square that reaches 2 gives a one bit and is halved. log₂ is then multiplied by ln 2. The error
 * is below 2⁻²⁰.
 */
export function negLn(hash: number): number {
  const value = hash + 1;
  let exponent = value >= 4294967296 ? 32 : 31 - Math.clz32(value);
  let mantissa = Math.floor((value * 33554432) / powerOfTwo[exponent]);
  exponent *= 16777216;
  for (let bit = 8388608; bit >= 1; bit /= 2) {
    mantissa = Math.floor((mantissa * mantissa) / 33554432);
    if (mantissa >= 67108864) {
      exponent += bit;
      mantissa = Math.floor(mantissa / 2);
    }
  }
  return Math.floor(((536870912 - exponent) * ln2) / 16777216);
}

/** ln 2 in units of 2⁻²⁴ */
const ln2 = 11629080;

const powerOfTwo = Array.from({ length: 33 }, (_, exponent) => 2 ** exponent);
