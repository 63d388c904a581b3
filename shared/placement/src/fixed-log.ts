/** One in the fixed point of logarithms: 24 bits behind the point. */
export const LOG_ONE = 1 << 24;

/**
 * log₂ of a whole number from 1 to 2³², in units of 2⁻²⁴, rounded down: the only logarithm that decides a byte of a
 * table or a reader's choice, so it is computed with integers below 2⁵³ alone and rounded down at every step. An
 * implementation in another language must give the same integers; vectors stand in the tests.
 *
 * Method (Clay S. Turner, "A fast binary logarithm algorithm", 2010): normalise to a 26-bit mantissa in [1, 2), then
 * square 24 times; each square that reaches 2 gives a one bit and is halved. The error is below 2⁻²⁰.
 */
export function log2Fixed(value: number): number {
  let exponent = value >= 4294967296 ? 32 : 31 - Math.clz32(value);
  let mantissa = Math.floor((value * 33554432) / powerOfTwo[exponent]);
  exponent *= LOG_ONE;
  for (let bit = LOG_ONE / 2; bit >= 1; bit /= 2) {
    mantissa = Math.floor((mantissa * mantissa) / 33554432);
    if (mantissa >= 67108864) {
      exponent += bit;
      mantissa = Math.floor(mantissa / 2);
    }
  }
  return exponent;
}

/** −ln(u) for u = (hash + 1) / 2³², as an integer in units of 2⁻²⁴, rounded down. */
export function negLn(hash: number): number {
  return Math.floor(((32 * LOG_ONE - log2Fixed(hash + 1)) * ln2) / LOG_ONE);
}

/**
 * unit × 2^(exponent / 2²⁴), rounded down, for exponents from −8 × 2²⁴ to 8 × 2²⁴: the inverse of {@link log2Fixed}, by
 * multiplying the constants 2^(2⁻¹), 2^(2⁻²) … of the bits that are set. Integers below 2⁵³ alone.
 */
export function exp2Fixed(exponent: number, unit: number): number {
  const whole = Math.floor(exponent / LOG_ONE);
  const fraction = exponent - whole * LOG_ONE;
  let mantissa = 33554432;
  for (let bit = 0; bit < roots.length; bit++) {
    if (fraction & (LOG_ONE >> (bit + 1))) mantissa = Math.floor((mantissa * roots[bit]) / 33554432);
  }
  const scaled = whole >= 0 ? mantissa * powerOfTwo[whole] : mantissa / powerOfTwo[-whole];
  return Math.floor((scaled * unit) / 33554432);
}

/** ln 2 in units of 2⁻²⁴ */
const ln2 = 11629080;

const powerOfTwo = Array.from({ length: 33 }, (_, exponent) => 2 ** exponent);

/** ⌊2²⁵ × 2^(2⁻ⁱ)⌋ for i = 1 … 24 */
const roots = [
  47453132, 39903169, 36591367, 35040013, 34289178, 33919815, 33736629, 33645407, 33599888, 33577152,
  33565790, 33560110, 33557271, 33555851, 33555141, 33554786, 33554609, 33554520, 33554476, 33554454,
  33554443, 33554437, 33554434, 33554433,
];
