import { bytesToHex, hexToBytes } from '@noble/hashes/utils';
import type { NegentropyItems } from './items.ts';
import {
  type Bound,
  END,
  FINGERPRINT_BYTES,
  ID_BYTES,
  MessageReader,
  MessageWriter,
  MODE,
  NegentropyError,
  PROTOCOL_VERSION,
} from './wire.ts';

const BUCKETS = 16;
/** Room for the fingerprint of all that is left, at the end of a message that is full. */
const CLOSING_BYTES = 200;

export interface FrameOptions {
  /** Most bytes of a message, at least 4,096; in NIP-77's hex it takes twice as much. */
  frameBytesMax: number;
}

/** What the side that asks learns from a message. */
export interface Differences {
  /** The next message to send; undefined when all is known. */
  message: string | undefined;
  /** Ids that only this side has. */
  have: string[];
  /** Ids that only the other side has. */
  need: string[];
}

/**
 * Range-based set reconciliation as in the Negentropy protocol, version 1 (hoytech/negentropy, NIP-77). Both sides keep
 * nothing but their frozen set between messages; messages are hex.
 */

/** The first message of the side that asks. */
export function startReconciliation(items: NegentropyItems): string {
  const out = new MessageWriter();
  writeSplit(items, 0, items.size, END, out);
  return bytesToHex(out.bytes);
}

/** The answer of the side that is asked. @throws NegentropyError */
export function answerReconciliation(items: NegentropyItems, message: string, options: FrameOptions): string {
  const reader = open(message);
  // NIP-77: who speaks another version is told by a message of nothing but the version that is spoken here.
  if (reader === undefined) return bytesToHex(new MessageWriter().bytes);
  return bytesToHex(exchange(items, reader, options, undefined).bytes);
}

/** What follows from an answer, for the side that asks. @throws NegentropyError */
export function continueReconciliation(
  items: NegentropyItems,
  answer: string,
  options: FrameOptions,
): Differences {
  const reader = open(answer);
  if (reader === undefined)
    throw new NegentropyError('the other side speaks another version of the protocol');
  const found = { have: [] as string[], need: [] as string[] };
  const out = exchange(items, reader, options, found);
  return { message: out.length > 1 ? bytesToHex(out.bytes) : undefined, ...found };
}

/** A reader that stands after the version byte, or undefined when that is of another version. */
function open(message: string): MessageReader | undefined {
  let bytes: Uint8Array;
  try {
    bytes = hexToBytes(message);
  } catch (cause) {
    throw new NegentropyError('the message is not hex', { cause });
  }
  const reader = new MessageReader(bytes);
  const version = reader.byte();
  if (version < 0x60 || version > 0x6f)
    throw new NegentropyError('the message does not begin with a version');
  return version === PROTOCOL_VERSION ? reader : undefined;
}

/** @param found given on the side that asks: it resolves id lists, where the other one answers with its own */
function exchange(
  items: NegentropyItems,
  reader: MessageReader,
  { frameBytesMax }: FrameOptions,
  found: { have: string[]; need: string[] } | undefined,
): MessageWriter {
  const out = new MessageWriter();
  const isFull = () => out.length > frameBytesMax - CLOSING_BYTES;
  let lower = 0;
  let lastBound: Bound = { timestamp: 0, prefix: new Uint8Array(0) };
  let skipped = false;
  /** Ranges that need no answer are told as one when one that does follows. */
  const writeSkipped = () => {
    if (!skipped) return;
    skipped = false;
    out.bound(lastBound);
    out.varint(MODE.skip);
  };

  while (!reader.done) {
    const start = out.mark();
    const bound = reader.bound();
    const mode = reader.varint();
    let upper = items.lowerBound(lower, bound);
    let fits = true;
    if (mode === MODE.skip) skipped = true;
    else if (mode === MODE.fingerprint) {
      if (sameBytes(reader.take(FINGERPRINT_BYTES), items.fingerprint(lower, upper))) skipped = true;
      else {
        const pending: boolean = skipped;
        writeSkipped();
        writeSplit(items, lower, upper, bound, out);
        if (isFull()) {
          out.rewind(start);
          skipped = pending;
          writeSkipped();
          upper = lower;
          fits = false;
        }
      }
    } else if (mode === MODE.idList) {
      const theirs = readIds(reader);
      if (found) {
        skipped = true;
        compareIds(items, lower, upper, theirs, found);
      } else {
        writeSkipped();
        const room = Math.max(0, Math.floor((frameBytesMax - CLOSING_BYTES - out.length) / ID_BYTES));
        const told = Math.min(upper, lower + room);
        writeIds(items, lower, told, told === upper ? bound : items.boundAt(told), out);
        fits = told === upper;
        upper = told;
      }
    } else throw new NegentropyError(`a range has the unknown mode ${mode}`);
    if (!fits || isFull()) {
      // One fingerprint of all that is left: the other side comes back to it.
      out.bound(END);
      out.varint(MODE.fingerprint);
      out.put(items.fingerprint(upper, items.size));
      return out;
    }
    lower = upper;
    lastBound = bound;
  }
  return out;
}

function readIds(reader: MessageReader): Set<string> {
  const ids = new Set<string>();
  for (let count = reader.varint(); count > 0; count--) ids.add(bytesToHex(reader.take(ID_BYTES)));
  return ids;
}

function compareIds(
  items: NegentropyItems,
  lower: number,
  upper: number,
  theirs: Set<string>,
  { have, need }: { have: string[]; need: string[] },
): void {
  for (let i = lower; i < upper; i++) {
    const id = items.id(i);
    if (!theirs.delete(id)) have.push(id);
  }
  for (const id of theirs) need.push(id);
}

/** A range of few items as their ids, one of many as fingerprints of its parts. */
function writeSplit(
  items: NegentropyItems,
  lower: number,
  upper: number,
  bound: Bound,
  out: MessageWriter,
): void {
  const count = upper - lower;
  if (count < 2 * BUCKETS) {
    writeIds(items, lower, upper, bound, out);
    return;
  }
  let at = lower;
  for (let i = 0; i < BUCKETS; i++) {
    const end = at + Math.floor(count / BUCKETS) + (i < count % BUCKETS ? 1 : 0);
    out.bound(end === upper ? bound : items.boundBefore(end));
    out.varint(MODE.fingerprint);
    out.put(items.fingerprint(at, end));
    at = end;
  }
}

function writeIds(
  items: NegentropyItems,
  lower: number,
  upper: number,
  bound: Bound,
  out: MessageWriter,
): void {
  out.bound(bound);
  out.varint(MODE.idList);
  out.varint(upper - lower);
  for (let i = lower; i < upper; i++) out.put(items.idBytes(i));
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}
