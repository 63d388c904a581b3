/** Children for tests of the supervisor: small Node programs that behave well, or in one particular way badly. */
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { isAlive, processMark } from './process-identity.ts';
import { SERVICE_STEPS, STAGE_SERVICE } from './reaper-protocol.ts';
import type { ChildListener, ChildSpec, Ending } from './supervised-child.ts';

/** Says that it is ready, ends when its parent goes or SIGTERM comes. */
export const WELL_BEHAVED = `process.on('disconnect', () => process.exit(0)); process.on('SIGTERM', () => process.exit(0)); process.send({ type: 'ready' });`;
/** Ready, and deaf to everything but SIGKILL. */
export const DEAF = `process.on('SIGTERM', () => {}); process.on('disconnect', () => {}); setInterval(() => {}, 1000); process.send({ type: 'ready' });`;

export function dummy(name: string, code: string, more: Partial<ChildSpec> = {}): ChildSpec {
  return {
    name,
    command: process.execPath,
    args: ['-e', code],
    options: {},
    stage: STAGE_SERVICE,
    reapSteps: SERVICE_STEPS,
    stopSteps: [
      { signal: 'SIGTERM', waitMs: 1_000 },
      { signal: 'SIGKILL', waitMs: 1_000 },
    ],
    ready: 'message',
    readyMsMax: 10_000,
    ...more,
  };
}

export function temporary(name: string): string {
  return mkdtempSync(join(tmpdir(), `covey-${name}-`));
}

export async function until(condition: () => boolean, what: string, timeoutMs = 8_000): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`not after ${timeoutMs} ms: ${what}`);
    await sleep(10);
  }
}

/** A process as it is now; `lives` says whether that one, not another with its pid, is still there. */
export function known(pid: number): { pid: number; lives(): boolean } {
  const mark = processMark(pid);
  if (!mark) throw new Error(`no process ${pid}`);
  return { pid, lives: () => isAlive(pid, mark) };
}

/** Writes down what a child goes through. */
export class Diary implements ChildListener {
  readonly entries: string[] = [];
  readonly pids: number[] = [];
  readonly endings: (Ending & { restartMs: number | undefined })[] = [];

  spawned(name: string, ward: { pid: number }): void {
    this.entries.push(`${name} spawned`);
    this.pids.push(ward.pid);
  }

  ready(name: string, _afterMs: number, restarted: boolean): void {
    this.entries.push(`${name} ${restarted ? 'back' : 'ready'}`);
  }

  progress(name: string, text: string): void {
    this.entries.push(`${name}: ${text}`);
  }

  ended(name: string, _pid: number, ending: Ending, restartMs: number | undefined): void {
    this.entries.push(`${name} ended`);
    this.endings.push({ ...ending, restartMs });
  }
}
