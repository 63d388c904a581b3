import { join } from 'node:path';
import { readDenyList } from '../deny-list.ts';
import type { Log } from '../stderr-log.ts';
import { type CachedTable, MANIFEST_FILE, readCachedTable } from '../table/cached-table.ts';
import { watchFile } from '../watch-file.ts';
import type { PluginConfig } from './config.ts';
import type { StrfryPolicy } from './policy.ts';

const RETRY_MS_MIN = 500;
const RETRY_MS_MAX = 60_000;

export type FileState = Pick<PluginConfig, 'tableDir' | 'roots' | 'cluster' | 'self' | 'denyFile'>;

/**
 * Keeps a policy in step with two files: the cached table and the deny list. What can't be used is said once, tried again,
 * and changes nothing: the last good one stays in force. Epochs only rise.
 */
export class MemberState {
  readonly #config: FileState;
  readonly #policy: StrfryPolicy;
  readonly #log: Log;
  readonly #pollMs: number | undefined;
  readonly #stops: (() => void)[] = [];
  #current: CachedTable | undefined;
  #said = '';
  #retry: NodeJS.Timeout | undefined;
  #retryMs = RETRY_MS_MIN;

  constructor(config: FileState, policy: StrfryPolicy, log: Log, pollMs?: number) {
    this.#config = config;
    this.#policy = policy;
    this.#log = log;
    this.#pollMs = pollMs;
  }

  get current(): CachedTable | undefined {
    return this.#current;
  }

  /** Reads both, now, and again whenever they change. Never throws. */
  start(): void {
    const { tableDir, denyFile } = this.#config;
    const poll = this.#pollMs === undefined ? {} : { pollMs: this.#pollMs };
    // The watch begins before the reading, so that no change falls between the two.
    this.#stops.push(watchFile(join(tableDir, MANIFEST_FILE), () => this.#changed(), poll));
    this.readTable();
    if (!denyFile) return;
    this.#stops.push(watchFile(denyFile, () => this.readDenyList(denyFile), poll));
    this.readDenyList(denyFile);
  }

  stop(): void {
    clearTimeout(this.#retry);
    for (const stop of this.#stops) stop();
  }

  #changed(): void {
    this.#retryMs = RETRY_MS_MIN;
    this.readTable();
  }

  readTable(): void {
    const { tableDir, roots, cluster } = this.#config;
    clearTimeout(this.#retry);
    if (roots.length === 0) {
      this.#say('COVEY_ROOTS names no trusted root key: no table is followed, every event is accepted');
      return;
    }
    try {
      const startedMs = performance.now();
      const next = readCachedTable(tableDir, roots, cluster);
      if (!next) {
        if (!this.#current) this.#say(`no table in ${tableDir} yet: every event is accepted`);
        return;
      }
      this.#take(next, performance.now() - startedMs);
    } catch (error) {
      const stays = this.#current
        ? `epoch ${this.#current.manifest.epoch} stays in force`
        : 'every event is accepted until there is a good one';
      this.#say(`the cached table can't be used; ${stays}`, { error: (error as Error).message });
      // It may have been read between two files of one epoch; or be damaged, and mended later.
      this.#retry = setTimeout(() => this.readTable(), this.#retryMs);
      this.#retry.unref();
      this.#retryMs = Math.min(RETRY_MS_MAX, this.#retryMs * 2);
    }
  }

  #take(next: CachedTable, ms: number): void {
    const { epoch, root } = next.manifest;
    const before = this.#current?.manifest;
    this.#retryMs = RETRY_MS_MIN;
    if (before && epoch < before.epoch) {
      this.#say(`the cached table is of epoch ${epoch}; epoch ${before.epoch} stays in force`);
      return;
    }
    if (before && root === before.root) return;
    this.#policy.useTable(next.table);
    this.#current = next;
    this.#said = '';
    this.#log.info({ epoch, root, accounts: next.table.accounts, ms: Math.round(ms) }, 'table applied');
    if (!this.#policy.member)
      this.#say(`member ${this.#config.self} is not in the table of epoch ${epoch}: every event is accepted`);
  }

  /** Once, until something else is to be said. */
  #say(text: string, fields: object = {}): void {
    const key = text + JSON.stringify(fields);
    if (key === this.#said) return;
    this.#said = key;
    this.#log.warn(fields, text);
  }

  readDenyList(path: string): void {
    try {
      const denied = readDenyList(path);
      this.#policy.useDenyList(denied);
      this.#log.info({ pubkeys: denied.pubkeys.size, kinds: denied.kinds.length }, 'deny list applied');
      if (denied.problems.length > 0)
        this.#log.warn({ path, problems: denied.problems }, 'lines of the deny list were passed over');
    } catch (error) {
      this.#log.error(
        { error: (error as Error).message },
        'the last good deny list stays in force; to lift it, empty the file',
      );
    }
  }
}
