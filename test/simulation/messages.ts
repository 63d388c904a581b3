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
  | { type: 'compare'; ref: number; verdicts: MemberVerdicts; ids: ReadonlySet<string> }
  | { type: 'compared'; ref: number; epoch: number; events: readonly SimEvent[]; filling: boolean }
  /** Of clients. */
  | { type: 'write'; ref: number; event: SimEvent }
  | { type: 'written'; ref: number; copies: 'two' | 'one' | 'none' }
  | { type: 'where'; ref: number; pubkey: string }
  | { type: 'there'; ref: number; writers: readonly string[]; readers: readonly string[] }
  | { type: 'read'; ref: number; pubkey: string }
  /** @param sinceMs when the member came to hold it, or started */
  | { type: 'have'; ref: number; ids: ReadonlySet<string>; whole: boolean; sinceMs: number }
  /** Of the coordinator: a whole table, or a delta to it. */
  | { type: 'table'; epoch: number; bytes: Uint8Array }
  | { type: 'delta'; from: number; epoch: number; bytes: Uint8Array }
  | { type: 'want table' };
