/** A change of a follow graph. Accounts keep their numbers; new ones are numbered after the last. */
export interface GraphDelta {
  /** whole new follow lists, in any order; repeats, the account itself and accounts in `gone` are dropped from them */
  readonly lists: ReadonlyMap<number, Uint32Array>;
  /** how many accounts join; they follow nobody unless `lists` says so */
  readonly added: number;
  /** accounts that follow nobody from now on and that nobody follows; their numbers stay taken */
  readonly gone: Uint32Array;
  /** how many of the last numbers are withdrawn: what undoes `added`. Nobody may still follow them */
  readonly withdrawn: number;
}

/** A delta that its graph cannot take: nothing was changed. */
export class GraphDeltaError extends RangeError {
  override name = 'GraphDeltaError';
}
