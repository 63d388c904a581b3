import type { Prices } from './load-prices.ts';
import type { SearchState } from './state.ts';

/** A member's price rises with the square of its overload, up to this overload. */
const overloadMax = 3;
/** Once limits are no longer relaxed, the price is also multiplied by a pressure that follows the overload. */
const pressureStep = 0.3;
const pressureMax = 3;

/**
 * Prices that are the share of readers who have a member open, times its squared overload: a null model as in
 * modularity, where an account gains by readers beyond the average, which the overload turns into a limit. Better
 * than multipliers where read copies let a few hubs be on many members.
 */
export class SharePrices implements Prices {
  readonly open: Float64Array;
  readonly read: Float64Array;
  readonly opensAtOnce = false;
  relaxed = 1;
  readonly #state: SearchState;
  readonly #pressure: Float64Array;
  readonly #overload: Float64Array;

  constructor(state: SearchState) {
    this.#state = state;
    this.open = new Float64Array(state.k);
    this.read = new Float64Array(state.k);
    this.#pressure = new Float64Array(state.k).fill(1);
    this.#overload = new Float64Array(state.k);
  }

  refreshAll(): void {
    const state = this.#state;
    state.overloads(this.#overload);
    for (let member = 0; member < state.k; member++) {
      const over = Math.min(overloadMax, this.#overload[member] / this.relaxed);
      const share = state.totalWeight > 0 ? state.connections[member] / state.totalWeight : 0;
      this.read[member] = share * over * over * this.#pressure[member];
    }
  }

  refresh(): void {}

  integrate(): void {
    const state = this.#state;
    state.overloads(this.#overload);
    if (this.relaxed > 1) return;
    for (let member = 0; member < state.k; member++) {
      const moved = this.#pressure[member] * (1 + pressureStep * (this.#overload[member] - 1));
      this.#pressure[member] = Math.min(pressureMax, Math.max(1, moved));
    }
  }
}
