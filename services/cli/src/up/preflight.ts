import { accessSync, constants, existsSync, mkdirSync, statfsSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { isPortTaken, portOwner } from './port-owner.ts';
import type { UpSettings } from './settings.ts';
import { UP_EXIT, UpError } from './up-error.ts';

/** What a first start writes: PostgreSQL's own files and log, the graph, five stores; rounded up. */
const FIRST_START_BYTES = 600 * 2 ** 20;
const NEXT_START_BYTES = 64 * 2 ** 20;

/** @throws UpError where no part of a cluster can run. */
export function checkPlatform(): void {
  if (process.platform === 'win32')
    throw new UpError(
      UP_EXIT.unavailable,
      'covey up runs on Linux and macOS.\nNext: on Windows, run it inside WSL 2',
    );
}

/** Makes the home. @throws UpError when it can't be made or written to. */
export function prepareHome(home: string): void {
  try {
    makeDirectory(home);
    accessSync(home, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    throw new UpError(
      UP_EXIT.cantWrite,
      `COVEY_HOME is ${home}, and ${existsSync(home) ? 'this user may not write to it' : 'it can’t be made'} (${code}).\nNext: set COVEY_HOME to a directory of your own, or make this one yours: sudo chown -R "$(id -u):$(id -g)" ${home}`,
      { cause },
    );
  }
}

/**
 * Makes a directory and those above it that are missing. Node's own `recursive` does not end where a file system answers
 * ENOENT to mkdir, as /proc does.
 */
function makeDirectory(path: string): void {
  const missing: string[] = [];
  for (let at = path; !existsSync(at); at = dirname(at)) missing.push(at);
  for (const directory of missing.reverse()) mkdirSync(directory, { mode: 0o755 });
}

/**
 * @param keyFile a key of a home that is there already. @throws UpError when another user made it: files of two users
 * in one home keep the first from starting again.
 */
export function checkOwner(home: string, keyFile: string): void {
  const { uid } = statSync(keyFile);
  if (uid === process.geteuid?.()) return;
  throw new UpError(
    UP_EXIT.cantWrite,
    `${home} belongs to user ${uid}, and this is user ${process.geteuid?.()}. Nothing was changed.\nNext: start as that user, or use another home: COVEY_HOME=…`,
  );
}

/** @throws UpError when the home's disk is about full. */
export function checkSpace(home: string, isFirst: boolean): void {
  const neededBytes = isFirst ? FIRST_START_BYTES : NEXT_START_BYTES;
  let freeBytes: number;
  try {
    const { bavail, bsize } = statfsSync(home);
    freeBytes = bavail * bsize;
  } catch {
    return; // a file system that does not tell
  }
  if (freeBytes >= neededBytes) return;
  const mebibytes = (bytes: number) => `${Math.floor(bytes / 2 ** 20)} MiB`;
  throw new UpError(
    UP_EXIT.cantWrite,
    `the disk of ${home} has ${mebibytes(freeBytes)} free, and this start needs ${mebibytes(neededBytes)}.\nNext: free some space, or set COVEY_HOME to a directory on another disk`,
  );
}

/** Who wants which port, embedded servers only where they are used. */
export function wantedPorts(
  { ports, databaseUrl, natsUrl }: UpSettings,
  members: readonly number[],
): [string, number][] {
  return [
    ['API and dashboard', ports.api],
    ...members.map((n): [string, number] => [`member ${n}`, ports.member(n)]),
    ['coordinator', ports.coordinator],
    ...(natsUrl ? [] : [['NATS', ports.nats] satisfies [string, number]]),
    ...(databaseUrl ? [] : [['PostgreSQL', ports.postgres] satisfies [string, number]]),
  ];
}

/** Looks beyond the taken ones for a base where all ports are free. */
const BASE_STEP = 100;
const BASES_TRIED = 10;

/** @throws UpError naming each taken port, who has it, and a base port that is free. */
export async function checkPorts(settings: UpSettings, wanted: readonly [string, number][]): Promise<void> {
  const taken: string[] = [];
  for (const [who, port] of wanted) {
    if (!(await isPortTaken(port))) continue;
    const owner = portOwner(port);
    taken.push(`port ${port} (${who}) is taken${owner ? ` by ${owner}` : ''}`);
  }
  if (taken.length === 0) return;
  const base = await freeBase(
    settings.ports.api,
    wanted.map(([, port]) => port),
  );
  throw new UpError(
    UP_EXIT.unavailable,
    `${taken.join('\n')}\nNext: stop what listens there, or use other ports: COVEY_PORT=${base ?? '…'}`,
  );
}

async function freeBase(base: number, ports: readonly number[]): Promise<number | undefined> {
  for (let i = 1; i <= BASES_TRIED; i++) {
    const shift = i * BASE_STEP;
    if (Math.max(...ports) + shift > 65_535) return undefined;
    const taken = await Promise.all(ports.map((port) => isPortTaken(port + shift)));
    if (!taken.includes(true)) return base + shift;
  }
  return undefined;
}
