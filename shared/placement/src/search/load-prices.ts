/** How strongly a load past its limit, or below its floor, is priced at once; the integrated part comes on top. */
const overConnections = 3;
const underConnections = 1;
const overReads = 5;
/** Step of the integrated part in each round, and how much of it is forgotten while a load is within its bounds. */
const step = 0.2;
const forget = 0.06;
/** Above −1: nobody is paid for opening, or places that lack readers would draw the first copy of every hub. */
const openMin = -0.95;
const openMax = 4;
const readMax = 2;

/** What a place (a member, or a set of mirrors) may carry, all relative to capacity. */
export interface PlaceCapacity {
  /** load of the place's fullest member for each connection to the place, and for each read from it */
  connectionLoad: Float64Array;
  readLoad: Float64Array;
  /** what each connection, and each read, adds to the mean load of all members */
  connectionMean: Float64Array;
  readMean: Float64Array;
}

/** What the searches ask of prices; arrays are by place. */
export interface Prices {
  /** price of opening a place beyond the relay itself; below 0 at places that lack readers */
  readonly open: Float64Array;
  /** price of each read */
  readonly read: Float64Array;
  /** whether a reader without an open copy opens one at once, or when covers are next computed */
  readonly opensAtOnce: boolean;
  /** the limit is this many times as high; falls to 1 while a search condenses */
  relaxed: number;
  /** takes the means that loads are compared with, and prices all places */
  refreshAll(connections: Float64Array, reads: Float64Array): void;
  /** prices one place anew */
  refresh(place: number, connections: number, reads: number): void;
  /** once in a round: what is integrated follows the loads */
  integrate(connections: Float64Array, reads: Float64Array): void;
}

/**
 * Prices that keep connections and reads under `limit` × the mean and connections above `floor` × the mean: dual
 * variables, in units of one relay opened. Each has a part proportional to the present excess, which reacts within a
 * round, and an integrated one, which holds the equilibrium (a proportional–integral control of the multipliers of the
 * Lagrangian). Only + − × ÷.
 */
export class LoadPrices implements Prices {
  readonly open: Float64Array;
  readonly read: Float64Array;
  readonly opensAtOnce = true;
  relaxed = 1;
  readonly #integrals: { open: Float64Array; read: Float64Array };
  readonly #capacity: PlaceCapacity;
  readonly #limit: number;
  readonly #floor: number;
  #connectionMean = 1;
  #readMean = 1;

  constructor(capacity: PlaceCapacity, limit: number, floor: number) {
    const places = capacity.connectionLoad.length;
    this.open = new Float64Array(places);
    this.read = new Float64Array(places);
    this.#integrals = { open: new Float64Array(places), read: new Float64Array(places) };
    this.#capacity = capacity;
    this.#limit = limit;
    this.#floor = floor;
  }

  /** Takes the means that loads are compared with, and prices all places. */
  refreshAll(connections: Float64Array, reads: Float64Array): void {
    const { connectionMean, readMean } = this.#capacity;
    this.#connectionMean = 1e-9;
    this.#readMean = 1e-9;
    for (let place = 0; place < connections.length; place++) {
      this.#connectionMean += connections[place] * connectionMean[place];
      this.#readMean += reads[place] * readMean[place];
    }
    for (let place = 0; place < connections.length; place++) {
      this.refresh(place, connections[place], reads[place]);
    }
  }

  /** Prices one place anew, against the means of the last `refreshAll`. */
  refresh(place: number, connections: number, reads: number): void {
    const load = (connections * this.#capacity.connectionLoad[place]) / this.#connectionMean;
    const over = load / (this.#limit * this.relaxed) - 1;
    const under = this.#floor > 0 ? 1 - load / this.#floor : 0;
    let open = this.#integrals.open[place];
    if (over > 0) open += overConnections * over;
    else if (under > 0) open -= underConnections * under;
    this.open[place] = Math.max(openMin, open);
    const readLoad = (reads * this.#capacity.readLoad[place]) / this.#readMean;
    const overload = readLoad / (this.#limit * this.relaxed) - 1;
    this.read[place] = this.#integrals.read[place] + (overload > 0 ? overReads * overload : 0);
  }

  /** Once in a round: the integrated parts follow the loads, against the limits that are not relaxed. */
  integrate(connections: Float64Array, reads: Float64Array): void {
    this.refreshAll(connections, reads);
    const { open, read } = this.#integrals;
    for (let place = 0; place < connections.length; place++) {
      const load = (connections[place] * this.#capacity.connectionLoad[place]) / this.#connectionMean;
      const over = load / this.#limit - 1;
      const under = this.#floor > 0 ? 1 - load / this.#floor : 0;
      if (over > 0) open[place] += step * over;
      else if (under > 0) open[place] -= step * under;
      else open[place] *= 1 - forget;
      open[place] = Math.min(openMax, Math.max(openMin, open[place]));
      const readLoad = (reads[place] * this.#capacity.readLoad[place]) / this.#readMean;
      read[place] += 0.3 * step * (readLoad / this.#limit - 1);
      read[place] = Math.min(readMax, Math.max(0, read[place]));
    }
  }
}

/** q^n for n = 0 … 65,535: the chance that a place where a reader reads n followees is closed to it. */
export function closingChances(q: number, out: Float64Array): void {
  let chance = 1;
  for (let count = 0; count < out.length; count++) {
    out[count] = chance;
    chance *= q;
    if (chance < 1e-9) chance = 0;
  }
}
