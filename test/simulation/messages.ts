import type { MemberVerdicts, Output } from '@covey/liveness';
import type { SimEvent } from './disk.ts';

/** What processes send each other; `ref` is chosen by who asks and stands in the answer. */
export type Message =
  | { type: 'probe'; output: Extract<Output, { type: 'probe' | 'ack' | 'nack' }> }
  | { type: 'lost' }
  /** Between members: an event on its way, and its OK. */
  | { type: 'event'; ref: number; event: SimEvent; hops: number }
  | { type: 'ok'; ref: number; accepted: boolean }
  /** Between members: a comparison, in one round: what the asker has, and what it lacks. */
  | { type: 'compare'; ref: number; epoch: number; verdicts: MemberVerdicts; ids: ReadonlySet<string> }
  | { type: 'compared'; ref: number; epoch: number; events: readonly SimEvent[]; filling: boolean }
  /** Of clients. */
  | { type: 'write'; ref: number; event: SimEvent }
  | { type: 'written'; ref: number; copies: 'two' | 'one' | 'none' }
  | { type: 'where'; ref: number; pubkey: string }
  | { type: 'there'; ref: number; epoch: number; writers: readonly string[]; readers: readonly string[] }
  /** @param epoch by which it was told to ask here */
  | { type: 'read'; ref: number; pubkey: string; epoch: number }
  /** @param sinceMs when the member came to hold it, or started */
  | { type: 'have'; ref: number; ids: ReadonlySet<string>; whole: boolean; sinceMs: number };
