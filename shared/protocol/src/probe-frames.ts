import { parseRumours, type Rumour, writeRumours } from '@covey/liveness';

/**
 * Frames by which members watch each other, on a connection that has proved to be a member's:
 * `["COVEY-PROBE", seq, rumours]` asks whether the receiver is alive, `["COVEY-PROBE", seq, rumours, member]` whether it
 * reaches that member. Answers are `["COVEY-PROBE-ACK", seq, rumours]` and `["COVEY-PROBE-NACK", seq, rumours]`.
 */
export interface ProbeFrame {
  type: 'probe' | 'ack' | 'nack';
  /** Chosen by who asks; the answer has the same. */
  seq: number;
  rumours: Rumour[];
  /** Public key of the member to probe on the asker's behalf. */
  target?: string;
}

const TYPES = { probe: 'COVEY-PROBE', ack: 'COVEY-PROBE-ACK', nack: 'COVEY-PROBE-NACK' } as const;

export function probeFrame({
  type,
  seq,
  rumours,
  target,
}: Readonly<Omit<ProbeFrame, 'rumours'>> & { rumours: readonly Rumour[] }): string {
  const frame: unknown[] = [TYPES[type], seq, writeRumours(rumours)];
  if (target !== undefined) frame.push(target);
  return JSON.stringify(frame);
}

/** Undefined when it is not such a frame, or not well-formed. */
export function parseProbeFrame(frame: readonly unknown[]): ProbeFrame | undefined {
  const [name, seq, told, target] = frame;
  const type = (['probe', 'ack', 'nack'] as const).find((key) => TYPES[key] === name);
  const rumours = parseRumours(told);
  if (!type || !rumours || !Number.isSafeInteger(seq) || (seq as number) < 0) return undefined;
  if (target === undefined) return { type, seq: seq as number, rumours };
  if (type !== 'probe' || typeof target !== 'string' || !/^[0-9a-f]{64}$/.test(target)) return undefined;
  return { type, seq: seq as number, rumours, target };
}
