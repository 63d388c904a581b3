import { createReadStream, createWriteStream, readFileSync } from 'node:fs';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip, createGzip } from 'node:zlib';
import {
  type BuiltGraph,
  buildGraph,
  EdgeListError,
  EdgeListParser,
  type FollowGraph,
  release,
} from '@covey/graph';
import {
  InfeasiblePlacementError,
  InvalidProblemError,
  type MemberCapacity,
  noGroup,
  type PlacedGroup,
  type Placement,
  type PlacementMember,
} from '@covey/placement';
import { InvalidArgumentError } from 'commander';

/** Files of the commands that work without a cluster: edge lists, members, placements, pins. */

export const exitCodes = { usage: 64, data: 65, internal: 70 } as const;

/** Input that cannot be used; the message says where and what to do. */
export class InputError extends Error {
  override name = 'InputError';
}

export interface NamedGraph extends BuiltGraph {
  names: string[];
}

/**
 * Reads an edge list, plain or gzip (told by its first bytes), `-` for standard input.
 * @param both also adds each edge the other way round
 */
export async function readGraph(path: string, both: boolean): Promise<NamedGraph> {
  const parser = new EdgeListParser();
  try {
    for await (const chunk of readBytes(path)) parser.push(chunk);
  } catch (error) {
    throw asInputError(path, error);
  }
  let list: ReturnType<EdgeListParser['end']>;
  try {
    list = parser.end();
  } catch (error) {
    throw asInputError(path, error);
  }
  let { sources, targets } = list;
  if (both) {
    const twice = (a: Uint32Array, b: Uint32Array): Uint32Array => {
      const joined = new Uint32Array(a.length * 2);
      joined.set(a);
      joined.set(b, a.length);
      return joined;
    };
    [sources, targets] = [twice(list.sources, list.targets), twice(list.targets, list.sources)];
  }
  const graph = buildGraph(list.names.length, sources, targets);
  release(sources, targets, list.sources, list.targets);
  return { ...graph, names: list.names };
}

async function* readBytes(path: string): AsyncGenerator<Uint8Array> {
  const source = path === '-' ? process.stdin : createReadStream(path, { highWaterMark: 1 << 20 });
  const chunks = source[Symbol.asyncIterator]() as AsyncIterator<Uint8Array>;
  const first = await chunks.next();
  if (first.done) return;
  async function* rest(): AsyncGenerator<Uint8Array> {
    yield first.value;
    for (let next = await chunks.next(); !next.done; next = await chunks.next()) yield next.value;
  }
  if (first.value[0] === 0x1f && first.value[1] === 0x8b) {
    const gunzip = createGunzip({ chunkSize: 1 << 20 });
    // The failure reaches the reader through gunzip itself.
    pipeline(Readable.from(rest()), gunzip).catch(() => {});
    yield* gunzip;
  } else {
    yield* rest();
  }
}

function asInputError(path: string, error: unknown): Error {
  const { code, message } = error as NodeJS.ErrnoException;
  if (error instanceof EdgeListError) {
    return new InputError(`${path}: ${message}. Each line is "follower followee"; # starts a comment.`, {
      cause: error,
    });
  }
  if (code === 'ENOENT') return new InputError(`${path}: no such file`, { cause: error });
  if (code === 'EISDIR') return new InputError(`${path}: is a directory, not a file`, { cause: error });
  if (code === 'EACCES') return new InputError(`${path}: not allowed to read it`, { cause: error });
  if (code?.startsWith('Z_')) {
    return new InputError(`${path}: the gzip data is damaged or cut off (${message}); fetch the file again`, {
      cause: error,
    });
  }
  return error as Error;
}

/** A member as the file has it: `deny` holds account names until a graph gives them numbers. */
export interface MemberFileEntry {
  id: string;
  url?: string;
  operator?: string;
  capacity?: MemberCapacity;
  deny?: string[];
  draining?: boolean;
}

/** `--members`: a number makes that many equal members `member-1` …; anything else is a JSON file with a list. */
export function readMembers(spec: string): MemberFileEntry[] {
  if (/^\d+$/.test(spec)) {
    const count = Number(spec);
    if (count < 1 || count > 65535) throw new InputError(`--members ${spec}: from 1 to 65535 members`);
    return Array.from({ length: count }, (_, index) => ({ id: `member-${index + 1}` }));
  }
  let parsed: unknown;
  try {
    parsed = JSON.parse(readText(spec));
  } catch (error) {
    if (error instanceof InputError) throw error;
    throw new InputError(
      `${spec}: not JSON (${(error as Error).message}). Give a number or a JSON list of members.`,
    );
  }
  const list = Array.isArray(parsed) ? parsed : (parsed as { members?: unknown } | null)?.members;
  if (!Array.isArray(list)) throw new InputError(`${spec}: needs a list of members: [{"id": "…"}, …]`);
  return list.map((entry, index) => checkMember(spec, index, entry));
}

function checkMember(path: string, index: number, entry: unknown): MemberFileEntry {
  const fail = (what: string): never => {
    throw new InputError(`${path}: member ${index + 1}: ${what}`);
  };
  if (typeof entry !== 'object' || entry === null) return fail('is not an object');
  const { id, url, operator, capacity, deny, draining } = entry as Record<string, unknown>;
  if (typeof id !== 'string' || id === '' || /\s/.test(id)) return fail('needs an "id": text without blanks');
  const member: MemberFileEntry = { id };
  if (url !== undefined) member.url = typeof url === 'string' ? url : fail('"url" is not text');
  if (operator !== undefined)
    member.operator = typeof operator === 'string' ? operator : fail('"operator" is not text');
  if (draining !== undefined) {
    member.draining = typeof draining === 'boolean' ? draining : fail('"draining" is not true or false');
  }
  if (deny !== undefined) {
    if (!Array.isArray(deny)) return fail('"deny" is not a list of accounts');
    member.deny = deny.map(String);
  }
  if (capacity !== undefined) {
    const given: Record<string, unknown> =
      typeof capacity === 'number'
        ? { copies: capacity, connections: capacity, reads: capacity }
        : ((capacity ?? {}) as Record<string, unknown>);
    const number = (name: string): number => {
      const value = given[name] ?? 1;
      return typeof value === 'number' && value >= 0 && Number.isFinite(value)
        ? value
        : fail(`capacity "${name}" is not a number from 0`);
    };
    member.capacity = {
      copies: number('copies'),
      connections: number('connections'),
      reads: number('reads'),
    };
  }
  return member;
}

/** Members as the engine takes them, with denied names looked up among the graph's accounts. */
export function placementMembers(
  entries: readonly MemberFileEntry[],
  names: readonly string[],
): PlacementMember[] {
  const anyDenied = entries.some((entry) => entry.deny?.length);
  const numbers = anyDenied ? numberNames(names) : new Map<string, number>();
  return entries.map(({ id, operator, capacity, draining, deny }) => {
    const denied = new Set(deny?.map((name) => numbers.get(name)));
    return {
      id,
      ...(operator !== undefined && { operator }),
      ...(capacity && { capacity }),
      ...(draining && { draining }),
      ...(deny?.length && { denied: (account: number) => denied.has(account) }),
    };
  });
}

export function numberNames(names: readonly string[]): Map<string, number> {
  return new Map(names.map((name, index) => [name, index]));
}

/** Rows of `account<TAB>member<TAB>member…`, blanks of any kind as separators, # comments. */
export function readRows(path: string): { line: number; account: string; members: string[] }[] {
  const rows: { line: number; account: string; members: string[] }[] = [];
  readText(path)
    .split('\n')
    .forEach((text, index) => {
      const [account, ...members] = text.trim().split(/\s+/);
      if (account === '' || account.startsWith('#')) return;
      if (members.length === 0)
        throw new InputError(`${path}: line ${index + 1}: account ${account} has no member`);
      rows.push({ line: index + 1, account, members });
    });
  return rows;
}

export interface ReadPlacement {
  groupOf: Uint32Array;
  groups: PlacedGroup[];
  /** ids in the order of member indexes */
  memberIds: string[];
  /** accounts of the file that the graph does not have */
  unknown: number;
}

/**
 * Reads a placement file against a graph. The first `copies` members of a row take writes, the rest are read copies.
 * Member ids that `memberIds` does not list are appended, in the order of the file's lines.
 */
export function readPlacement(
  path: string,
  names: readonly string[],
  memberIds: readonly string[],
  copies: number,
): ReadPlacement {
  const numbers = numberNames(names);
  const ids = [...memberIds];
  const indexOf = new Map(ids.map((id, index) => [id, index]));
  const groupOf = new Uint32Array(names.length).fill(noGroup);
  const groups: PlacedGroup[] = [];
  const groupNumber = new Map<string, number>();
  let unknown = 0;
  for (const { line, account, members } of readRows(path)) {
    const number = numbers.get(account);
    if (number === undefined) {
      unknown++;
      continue;
    }
    if (groupOf[number] !== noGroup)
      throw new InputError(`${path}: line ${line}: account ${account} stands twice`);
    if (new Set(members).size < members.length) {
      throw new InputError(`${path}: line ${line}: account ${account} names a member twice`);
    }
    const key = members.join('\t');
    let group = groupNumber.get(key);
    if (group === undefined) {
      group = groups.length;
      groupNumber.set(key, group);
      const row = members.map((id) => {
        const known = indexOf.get(id);
        if (known !== undefined) return known;
        indexOf.set(id, ids.length);
        return ids.push(id) - 1;
      });
      const hub = row.length > copies;
      groups.push({ members: row, copies: Math.min(copies, row.length), hub, pinned: false, accounts: 0 });
    }
    groupOf[number] = group;
    groups[group].accounts++;
  }
  return { groupOf, groups, memberIds: ids, unknown };
}

/** Writes `account<TAB>member…`, accounts in the graph's order. */
export async function writePlacement(
  path: string,
  names: readonly string[],
  placement: Placement,
  memberIds: readonly string[],
): Promise<void> {
  const rows = placement.groups.map((group) =>
    group.members.map((member) => `\t${memberIds[member]}`).join(''),
  );
  await writeLines(path, names.length, (account) =>
    placement.groupOf[account] === noGroup ? '' : `${names[account]}${rows[placement.groupOf[account]]}\n`,
  );
}

/** Writes lines in batches, so that a large file needs no large string. `-` is standard output. */
export async function writeLines(
  path: string,
  count: number,
  line: (index: number) => string,
): Promise<void> {
  function* batches(): Generator<string> {
    for (let start = 0; start < count; start += 10000) {
      let text = '';
      for (let index = start; index < Math.min(count, start + 10000); index++) text += line(index);
      yield text;
    }
  }
  try {
    const out = path === '-' ? process.stdout : createWriteStream(path);
    await pipeline(Readable.from(batches()), out, { end: path !== '-' });
  } catch (error) {
    throw new InputError(`${path}: cannot be written (${(error as Error).message})`, { cause: error });
  }
}

/** Writes a graph as an edge list of its account numbers, gzip where the name ends in `.gz`; `-` is standard output. */
export async function writeEdges(path: string, graph: FollowGraph): Promise<void> {
  const out = path === '-' ? process.stdout : createWriteStream(path);
  const chunks = Readable.from(edgeBytes(graph), { objectMode: false });
  try {
    if (path.endsWith('.gz')) await pipeline(chunks, createGzip({ level: 4, chunkSize: 1 << 18 }), out);
    else await pipeline(chunks, out, { end: path !== '-' });
  } catch (error) {
    throw new InputError(`${path}: cannot be written (${(error as Error).message})`, { cause: error });
  }
}

/** The lines of an edge list in pieces of some 256 KiB, made without a string for each line. */
function* edgeBytes({ nodes, offsets, targets }: FollowGraph): Generator<Uint8Array> {
  const lineBytesMax = 22; // two numbers of ten digits, a space and a line feed
  let piece = new Uint8Array(1 << 18);
  let at = 0;
  const digits = new Uint8Array(10);
  const put = (value: number): void => {
    let rest = value;
    let length = 0;
    do {
      digits[length++] = 48 + (rest % 10);
      rest = Math.floor(rest / 10);
    } while (rest > 0);
    while (length > 0) piece[at++] = digits[--length];
  };
  for (let node = 0; node < nodes; node++) {
    for (let i = offsets[node]; i < offsets[node + 1]; i++) {
      if (at > piece.length - lineBytesMax) {
        yield piece.subarray(0, at);
        piece = new Uint8Array(1 << 18);
        at = 0;
      }
      put(node);
      piece[at++] = 32;
      put(targets[i]);
      piece[at++] = 10;
    }
  }
  yield piece.subarray(0, at);
}

/** The first word of each line; blank lines and # comments are passed over. */
export function readLines(path: string): string[] {
  return readText(path)
    .split('\n')
    .map((line) => line.trim().split(/\s+/)[0] as string)
    .filter((word) => word !== '' && !word.startsWith('#'));
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw asInputError(path, error);
  }
}

/** A whole-number option of commander. */
export function wholeNumber(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() === '' || !Number.isInteger(value) || value < min || value > max) {
      throw new InvalidArgumentError(`It must be a whole number from ${min} to ${max}.`);
    }
    return value;
  };
}

/** Runs a command's action: errors of the input end with 65 and one line, unexpected ones with 70 and a stack. */
export async function runCommand(action: () => Promise<void>): Promise<void> {
  try {
    await action();
  } catch (error) {
    const expected =
      error instanceof InputError ||
      error instanceof InfeasiblePlacementError ||
      error instanceof InvalidProblemError;
    process.stderr.write(
      `covey: ${expected ? (error as Error).message : ((error as Error).stack ?? error)}\n`,
    );
    process.exitCode = expected ? exitCodes.data : exitCodes.internal;
  }
}

/** Milliseconds by phase, and the peak of resident memory. */
export class Stopwatch {
  readonly ms: Record<string, number> = {};
  #start = performance.now();
  #lap = this.#start;

  lap(phase: string): void {
    const now = performance.now();
    this.ms[phase] = Math.round(now - this.#lap);
    this.#lap = now;
  }

  finish(): { ms: Record<string, number>; peakBytes: number } {
    this.ms['total'] = Math.round(performance.now() - this.#start);
    return { ms: this.ms, peakBytes: process.resourceUsage().maxRSS * 1024 };
  }
}
