import { BACKUP_LOOK_MS } from './store/backup-request.ts';
import type { MemberStore } from './store/member-store.ts';
import type { RetentionRule } from './store/retention.ts';

const SWEEP_MS = 60_000;

export interface HousekeepingOptions {
  store: MemberStore;
  retention: readonly RetentionRule[];
  /** Unix milliseconds. */
  clock: () => number;
  log: { info(fields: object, text: string): void; error(fields: object, text: string): void };
}

/** What a store needs now and then: what expired, vanished or is kept no longer goes, and a backup that was asked for is made. */
export class Housekeeping {
  readonly #options: HousekeepingOptions;
  readonly #timers: NodeJS.Timeout[] = [];
  #sweeping: Promise<void> = Promise.resolve();
  #backup: Promise<void> = Promise.resolve();
  #stopped = false;

  constructor(options: HousekeepingOptions) {
    this.#options = options;
  }

  start(): void {
    const every = (ms: number, work: () => void) => this.#timers.push(setInterval(work, ms).unref());
    every(SWEEP_MS, () => {
      this.#sweeping = this.#sweeping.then(() => this.#sweep());
    });
    every(BACKUP_LOOK_MS, () => {
      this.#backup = this.#backup.then(() => this.#backUp());
    });
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    for (const timer of this.#timers) clearInterval(timer);
    await this.#sweeping;
    await this.#backup;
  }

  async #sweep(): Promise<void> {
    const { store, retention, clock, log } = this.#options;
    const now = Math.floor(clock() / 1000);
    try {
      await this.#untilNone(() => store.events.removeExpired(now));
      await this.#untilNone(() => store.events.removeVanished());
      if (retention.length > 0) await this.#untilNone(() => store.events.removeUnretained(retention, now));
    } catch (error) {
      log.error({ error: String(error) }, 'events that are kept no longer could not be removed');
    }
  }

  async #untilNone(removeBatch: () => Promise<number>): Promise<void> {
    while (!this.#stopped && (await removeBatch()) > 0);
  }

  /** `covey relay backup` asks by a file in the folder. */
  async #backUp(): Promise<void> {
    if (this.#stopped) return;
    const { store, log } = this.#options;
    try {
      const to = await store.answerBackupRequest();
      if (to !== undefined) log.info({ to }, 'a backup was asked for and made');
    } catch (error) {
      log.error({ error: String(error) }, 'a backup that was asked for could not be made');
    }
  }
}
