import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { isAlive, processMark } from './process-identity.ts';

export interface LockHolder {
  pid: number;
  mark: string;
  apiUrl: string;
}

/** Another process holds the home. */
export class HomeLockedError extends Error {
  override name = 'HomeLockedError';
  readonly holder: LockHolder;

  constructor(holder: LockHolder) {
    super(`process ${holder.pid} holds this home`);
    this.holder = holder;
  }
}

interface Claim extends LockHolder {
  /** File name, drawn anew by each process. */
  name: string;
  held: boolean;
}

const CLAIM = /^lock-[0-9a-f]{16}\.json$/;
const WAIT_MS = 20;
const TRIES = 100;

/**
 * Takes the home for this process. Each contender writes a claim of its own, then looks for claims of other live
 * processes, and holds the home only when it sees none while its own stands: of two, the later writer sees the earlier
 * one's claim. Where several are undecided, all but the one with the lowest name withdraw for a moment. Claims of the
 * dead count for nothing and are removed; their names never come back, so nobody removes a live one by mistake.
 * @returns how to give the home back.
 * @throws HomeLockedError
 */
export async function lockHome(home: string, apiUrl: string, random = Math.random): Promise<() => void> {
  const name = `lock-${randomBytes(8).toString('hex')}.json`;
  const mine: Claim = { name, pid: process.pid, mark: processMark(process.pid)!, apiUrl, held: false };
  const withdraw = () => rmSync(join(home, name), { force: true });
  let others: Claim[] = [];
  try {
    for (let tries = 0; tries < TRIES; tries++) {
      if (tries === 0 || others.some((other) => other.name < name)) writeClaim(home, mine);
      others = liveClaims(home).filter((claim) => claim.name !== name);
      if (others.length === 0) {
        writeClaim(home, { ...mine, held: true });
        return withdraw;
      }
      if (others.some(({ held }) => held)) break;
      if (others.some((other) => other.name < name)) withdraw();
      await sleep(WAIT_MS * (1 + random()));
    }
    throw new HomeLockedError(others.find(({ held }) => held) ?? others[0]!);
  } catch (error) {
    withdraw();
    throw error;
  }
}

/** Complete from the first moment. */
function writeClaim(home: string, { name, ...claim }: Claim): void {
  const draft = join(home, `${name}.half`);
  writeFileSync(draft, JSON.stringify(claim), { mode: 0o600 });
  renameSync(draft, join(home, name));
}

/** The claims of processes that live. Removes those of others. */
function liveClaims(home: string): Claim[] {
  return readdirSync(home).flatMap((name) => {
    if (!CLAIM.test(name)) return [];
    const claim = readClaim(join(home, name));
    if (claim && isAlive(claim.pid, claim.mark)) return [{ ...claim, name }];
    rmSync(join(home, name), { force: true });
    return [];
  });
}

function readClaim(path: string): Omit<Claim, 'name'> | undefined {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    return undefined; // withdrawn meanwhile, or nothing of ours
  }
}
