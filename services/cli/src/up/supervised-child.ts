import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { closeSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Backoff, backoffMs, RESTART_BACKOFF } from './backoff.ts';
import type { LogFiles } from './log-files.ts';
import { processMark } from './process-identity.ts';
import { endProcess } from './reap.ts';
import type { ReapStep, Ward } from './reaper-protocol.ts';

export interface ChildSpec {
  name: string;
  command: string;
  args: readonly string[];
  options: Pick<SpawnOptions, 'cwd' | 'env' | 'uid' | 'gid'>;
  stage: number;
  /** How to end it when the supervisor is gone. */
  reapSteps: readonly ReapStep[];
  /** How to end it in an ordered stop. */
  stopSteps: readonly ReapStep[];
  /** `message`: it sends { type: 'ready' } over IPC. Else a probe, which gives up when the signal says that it ended. */
  ready: 'message' | ((signal: AbortSignal) => Promise<void>);
  readyMsMax: number;
}

export interface Ending {
  code: number | null;
  signal: NodeJS.Signals | null;
}

/** What the supervisor wants to know. */
export interface ChildListener {
  spawned(name: string, ward: Ward): void;
  ready(name: string, afterMs: number, restarted: boolean): void;
  progress(name: string, text: string): void;
  /** `restartMs`: the delay until the next try; undefined when it was told to stop, or is given up. */
  ended(name: string, pid: number, ending: Ending, restartMs: number | undefined): void;
}

/** A process did not get ready at its first start. */
export class ChildFailedError extends Error {
  override name = 'ChildFailedError';
  readonly child: string;

  constructor(child: string, message: string) {
    super(message);
    this.child = child;
  }
}

const TRIES_AT_FIRST = 3;
/** What a service says by it (sysexits.h, EX_CONFIG) does not change by trying again. */
const EXIT_CONFIG = 78;

export interface ChildDependencies {
  logs: LogFiles;
  listener: ChildListener;
  random: () => number;
  backoff?: Backoff;
}

/**
 * A child process that is started again, with backoff, whenever it ends. Authority over one process; what starts before
 * what is the supervisor's. It has its own process group: Ctrl-C in a terminal reaches the supervisor alone.
 */
export class SupervisedChild {
  readonly spec: ChildSpec;
  readonly #deps: ChildDependencies;
  readonly #stop = new AbortController();
  #ward: Ward | undefined;
  #loop: Promise<void> | undefined;
  #everReady = false;

  constructor(spec: ChildSpec, dependencies: ChildDependencies) {
    this.spec = spec;
    this.#deps = dependencies;
  }

  get pid(): number | undefined {
    return this.#ward?.pid;
  }

  /** Resolves when it is ready for the first time. @throws ChildFailedError when it does not get there in three tries. */
  start(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#loop = this.#keep(resolve, reject);
    });
  }

  /** Ends it, by force if need be, for good. Resolves when it is gone. */
  async stop(): Promise<void> {
    this.#stop.abort();
    if (this.#ward) await endProcess({ ...this.#ward, steps: this.spec.stopSteps });
    await this.#loop;
  }

  async #keep(ready: () => void, failed: (error: ChildFailedError) => void): Promise<void> {
    const { name } = this.spec;
    const { listener, random, backoff = RESTART_BACKOFF } = this.#deps;
    let failures = 0;
    while (!this.#stop.signal.aborted) {
      const startedMs = performance.now();
      let readyMs: number | undefined;
      const { pid, ending } = await this.#runOnce(() => {
        readyMs = performance.now();
        listener.ready(name, readyMs - startedMs, this.#everReady);
        this.#everReady = true;
        ready();
      });
      const wasHealthy = readyMs !== undefined && performance.now() - readyMs >= backoff.healthyMs;
      failures = wasHealthy ? 1 : failures + 1;
      const stopping = this.#stop.signal.aborted;
      const givenUp = !this.#everReady && (failures >= TRIES_AT_FIRST || ending.code === EXIT_CONFIG);
      const restartMs = stopping || givenUp ? undefined : backoffMs(failures, backoff, random());
      listener.ended(name, pid, ending, restartMs);
      if (restartMs === undefined) {
        failed(new ChildFailedError(name, `${name} does not start (${describeEnding(ending)})`));
        return;
      }
      await sleep(restartMs, undefined, { signal: this.#stop.signal }).catch(() => {});
    }
    failed(new ChildFailedError(name, `${name} was stopped`));
  }

  /** Runs the process until it ends. One that is not ready in time is ended. */
  async #runOnce(onReady: () => void): Promise<{ pid: number; ending: Ending }> {
    const { name, ready, readyMsMax } = this.spec;
    const child = this.#spawn();
    const ended = new AbortController();
    const ending = new Promise<Ending>((resolve) => {
      child.on('exit', (code, signal) => resolve({ code, signal }));
      child.on('error', () => resolve({ code: null, signal: null }));
    });
    const { pid } = child;
    if (!pid) return { pid: 0, ending: await ending };
    const ward: Ward = {
      name,
      pid,
      mark: processMark(pid) ?? '',
      stage: this.spec.stage,
      steps: this.spec.reapSteps,
    };
    this.#ward = ward;
    this.#deps.listener.spawned(name, ward);
    if (this.#stop.signal.aborted) void endProcess({ ...ward, steps: this.spec.stopSteps });
    const tooSlow = setTimeout(() => child.kill('SIGKILL'), readyMsMax);
    const becameReady =
      ready === 'message'
        ? readyMessage(child, (text) => this.#deps.listener.progress(name, text))
        : ready(ended.signal);
    becameReady.then(
      () => {
        clearTimeout(tooSlow);
        if (!ended.signal.aborted) onReady();
      },
      () => child.kill('SIGKILL'), // the probe gave up; its process may live on, unable
    );
    const how = await ending;
    ended.abort();
    clearTimeout(tooSlow);
    this.#ward = undefined;
    return { pid, ending: how };
  }

  #spawn(): ChildProcess {
    const { name, command, args, options, ready } = this.spec;
    const log = this.#deps.logs.open(name);
    try {
      const ipc = ready === 'message' ? (['ipc'] as const) : [];
      return spawn(command, args, { ...options, detached: true, stdio: ['ignore', log, log, ...ipc] });
    } finally {
      closeSync(log);
    }
  }
}

/** Resolves at { type: 'ready' }; never rejects (an end is seen elsewhere). */
function readyMessage(child: ChildProcess, onProgress: (text: string) => void): Promise<void> {
  return new Promise((resolve) => {
    child.on('message', (message: { type?: string; text?: unknown }) => {
      if (message?.type === 'ready') resolve();
      else if (message?.type === 'progress' && typeof message.text === 'string') onProgress(message.text);
    });
  });
}

export function describeEnding({ code, signal }: Ending): string {
  if (signal) return `ended by ${signal}`;
  return code === null ? 'it could not be run' : `exit code ${code}`;
}
