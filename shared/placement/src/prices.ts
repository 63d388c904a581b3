import { exp2Fixed, LOG_ONE, log2Fixed } from './fixed-log.ts';

/** The price that everybody has when nothing is published; prices are whole numbers in units of 1 / PRICE_ONE. */
export const PRICE_ONE = 4096;

/** A price lies between 1/16 and 16 times the usual one, and a load counts as at least 1/16 and at most 16 means. */
const limit = 4 * LOG_ONE;
/** The exponent of load / mean in one step: 3/10. */
const gain = 3;
const gainOf = 10;
/** A step forgets 1/64 of what earlier steps summed up, so that two who publish come to agree after a restart. */
const forget = 64;

/**
 * Moves prices by loads: price × (load / mean)^0.3, and a little back towards the usual price. Prices are held as their
 * logarithms, in units of 2⁻²⁴ of a doubling, so that steps are sums of integers. Of members that are not heard (a load
 * of NaN), the price only drifts back.
 * @param logs one whole number a member, 0 at first; changed in place
 * @param loads of each member for its declared capacity, in any unit
 */
export function movePrices(logs: Int32Array, loads: ArrayLike<number>): void {
  let sum = 0;
  let heard = 0;
  for (let member = 0; member < logs.length; member++) {
    if (!(loads[member] >= 0)) continue;
    sum += loads[member];
    heard++;
  }
  for (let member = 0; member < logs.length; member++) {
    let log = logs[member] - Math.trunc(logs[member] / forget);
    if (loads[member] >= 0 && sum > 0) {
      const share = Math.floor((loads[member] * heard * PRICE_ONE) / sum);
      const clamped = Math.min(PRICE_ONE * 16, Math.max(PRICE_ONE / 16, share));
      log += Math.trunc(((log2Fixed(clamped) - priceOneLog) * gain) / gainOf);
    }
    logs[member] = Math.min(limit, Math.max(-limit, log));
  }
}

/** The published price behind a logarithm: a whole number from PRICE_ONE / 16 to PRICE_ONE × 16. */
export function priceOf(log: number): number {
  return exp2Fixed(log, PRICE_ONE);
}

const priceOneLog = 12 * LOG_ONE;
