import type { LogFiles } from './log-files.ts';
import { writeProcessList } from './process-list.ts';
import { type Progress, seconds } from './progress.ts';
import { ReaperClient } from './reaper-client.ts';
import type { Ward } from './reaper-protocol.ts';
import {
  type ChildListener,
  type ChildSpec,
  describeEnding,
  type Ending,
  SupervisedChild,
} from './supervised-child.ts';

export interface SupervisorOptions {
  home: string;
  logs: LogFiles;
  progress: Progress;
  random: () => number;
  /** A process was started or ended. */
  onPids?: () => void;
}

/**
 * Keeps the processes of a cluster: starts each when told, starts it again when it ends, tells the reaper and the process
 * list of it, and ends them stage by stage. What depends on what at the start is the caller's business.
 */
export class Supervisor implements ChildListener {
  readonly #options: SupervisorOptions;
  readonly #reaper: ReaperClient;
  readonly #children: SupervisedChild[] = [];
  #stopping = false;

  constructor(options: SupervisorOptions) {
    this.#options = options;
    this.#reaper = new ReaperClient(() => options.onPids?.());
    this.#reaper.start();
  }

  /** By process name. */
  get pids(): Record<string, number> {
    const pids: Record<string, number> = {};
    for (const { spec, pid } of this.#children) if (pid) pids[spec.name] = pid;
    if (this.#reaper.pid) pids['reaper'] = this.#reaper.pid;
    return pids;
  }

  /** Resolves when it is ready. @throws ChildFailedError */
  async start(spec: ChildSpec): Promise<void> {
    const { logs, random } = this.#options;
    const child = new SupervisedChild(spec, { logs, random, listener: this });
    this.#children.push(child);
    if (this.#stopping) return await child.stop();
    await child.start();
  }

  /** Ends all, group after group; those of one group at once. Whatever no group names ends last. */
  async stop(groups: readonly ((name: string) => boolean)[]): Promise<void> {
    this.#stopping = true;
    for (const belongs of [...groups, () => true])
      await Promise.all(this.#children.filter(({ spec }) => belongs(spec.name)).map((child) => child.stop()));
    await this.#reaper.close();
  }

  spawned(_name: string, ward: Ward): void {
    this.#reaper.watch(ward);
    this.#listProcesses();
  }

  ready(name: string, afterMs: number, restarted: boolean): void {
    if (restarted) this.#options.progress.line(`${this.#tick} ${name} is back · ${seconds(afterMs)}`);
  }

  progress(name: string, text: string): void {
    this.#options.progress.update(name, text);
  }

  ended(name: string, pid: number, ending: Ending, restartMs: number | undefined): void {
    this.#reaper.forget(pid);
    this.#listProcesses();
    if (this.#stopping || restartMs === undefined) return;
    this.#options.progress.warn(
      `${name} ended (${describeEnding(ending)}), starts again in ${seconds(restartMs)}; log: ${this.#options.logs.path(name)}`,
    );
  }

  get #tick(): string {
    return this.#options.progress.style('green', '✓');
  }

  #listProcesses(): void {
    writeProcessList(this.#options.home, this.#reaper.wards);
    this.#options.onPids?.();
  }
}
