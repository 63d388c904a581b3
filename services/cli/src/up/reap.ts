import { setTimeout as sleep } from 'node:timers/promises';
import { isAlive } from './process-identity.ts';
import type { Ward } from './reaper-protocol.ts';

const POLL_MS = 20;

/**
 * Ends processes stage by stage, those of one stage at once; a stage begins when the one before is gone.
 * @returns those that survived even SIGKILL (in an uninterruptible wait), empty as a rule.
 */
export async function reap(wards: readonly Ward[]): Promise<Ward[]> {
  const stages = [...new Set(wards.map(({ stage }) => stage))].sort((a, b) => a - b);
  const survivors: Ward[] = [];
  for (const stage of stages) {
    const ended = wards
      .filter((ward) => ward.stage === stage)
      .map(async (ward) => [ward, await endProcess(ward)]);
    for (const [ward, gone] of (await Promise.all(ended)) as [Ward, boolean][])
      if (!gone) survivors.push(ward);
  }
  return survivors;
}

/** Ends one process by its steps. @returns whether it is gone. */
export async function endProcess({ pid, mark, steps }: Ward): Promise<boolean> {
  for (const { signal, waitMs } of steps) {
    if (!isAlive(pid, mark)) return true;
    if (signal) send(pid, signal);
    for (let waitedMs = 0; waitedMs < waitMs; waitedMs += POLL_MS) {
      if (!isAlive(pid, mark)) return true;
      await sleep(POLL_MS);
    }
  }
  return !isAlive(pid, mark);
}

function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It went between the check and the signal, or is another user's: isAlive tells which.
  }
}
