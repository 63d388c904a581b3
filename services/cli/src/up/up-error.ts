/** Exit codes of `covey up`, as sysexits.h has them. */
export const UP_EXIT = {
  ok: 0,
  /** A setting or an option is wrong. */
  usage: 64,
  /** Something in COVEY_HOME is damaged or belongs to another cluster. */
  damaged: 65,
  /** A server or a program that is needed is not there, or a port is taken. */
  unavailable: 69,
  /** A process of the cluster does not start. */
  internal: 70,
  /** COVEY_HOME can't be written to, or its disk is full. */
  cantWrite: 73,
  /** A cluster runs from this COVEY_HOME already. */
  runsAlready: 75,
} as const;

/** Why `covey up` does not start, for people: what is wrong, then what to do. */
export class UpError extends Error {
  override name = 'UpError';
  readonly exitCode: number;

  constructor(exitCode: number, message: string, options?: ErrorOptions) {
    super(message, options);
    this.exitCode = exitCode;
  }
}
