import type { Enforcer } from '@covey/enforcement';
import { isAllAlive, type MemberVerdicts, type Verdicts } from '@covey/liveness';
import type { Heartbeat } from '@covey/protocol';
import type { RelayMetrics } from '../metrics.ts';
import { FailureDetector, type FailureDetectorOptions } from './failure-detector.ts';
import type { Filling } from './filling.ts';
import { Spaced } from './spaced.ts';

/** Verdicts are acted upon at once; of those that come in quick succession, as often as takes this part of the thread. */
const ACT_EVERY_MS = 10;
const ACT_PART = 0.05;
/** What is acted for is counted for operators, who need it no sooner. */
const COUNT_EVERY_MS = 1000;

export interface FailoverOptions
  extends Omit<FailureDetectorOptions, 'onVerdicts' | 'onCatchUp' | 'onDead' | 'onSuspect'> {
  filling: Filling;
  /** By the table and verdicts of this moment. */
  enforcer: () => Enforcer;
  /** Verdicts that change what members do. */
  onVerdicts: () => void;
  /** Something has to be fetched that was missed. */
  onBehind: () => void;
  metrics: RelayMetrics;
  log: { info(fields: object, text: string): void; warn(fields: object, text: string): void };
}

/** What this member makes of who is dead: when it steps down, when it serves again, what it tells operators. */
export class Failover {
  readonly detector: FailureDetector;
  readonly #options: FailoverOptions;
  #groups = { acting: 0, appointed: 0, unavailable: 0 };
  /** The verdicts that the enforcer goes by. */
  #acted = '';
  readonly #act: Spaced;
  readonly #count: Spaced;

  constructor(options: FailoverOptions) {
    this.#options = options;
    const { filling, metrics, log, clock } = options;
    this.#act = new Spaced({ work: options.onVerdicts, everyMs: ACT_EVERY_MS, part: ACT_PART, clock });
    this.#count = new Spaced({
      work: () => this.#countGroups(),
      everyMs: COUNT_EVERY_MS,
      part: ACT_PART,
      clock,
    });
    this.detector = new FailureDetector({
      ...options,
      onVerdicts: (verdicts) => this.#onVerdicts(verdicts),
      onCatchUp: (reason) => {
        log.warn({ reason }, 'the others went on without this member: it catches up before it serves again');
        metrics.catchUps.inc({ reason });
        filling.restart();
        options.onBehind();
      },
      onDead: (member, silentMs) => {
        metrics.deaths.inc();
        if (silentMs !== undefined) metrics.detectionMs.observe(silentMs);
        log.warn({ member, silentMs: silentMs && Math.round(silentMs) }, 'a member is dead');
      },
      onSuspect: (member) => {
        metrics.suspicions.inc();
        log.info({ member }, 'a member did not answer, here nor through others: it is suspected');
      },
    });
    filling.onCaughtUp = () => this.detector.caughtUp();
  }

  get verdicts(): Verdicts {
    return this.detector.verdicts;
  }

  /** For clients and other members: what this member acts upon. Absent when all members serve. */
  get told(): MemberVerdicts | undefined {
    const { table, verdicts } = this.#options.enforcer();
    if (!table || isAllAlive(verdicts)) return undefined;
    const { returning, dead, absent, majority } = verdicts;
    return { returning, dead, absent, majority };
  }

  /** For heartbeats: suspects too. */
  get reported(): Heartbeat['verdicts'] {
    const { suspect, returning, dead, absent, majority } = this.verdicts;
    if (!this.told && suspect.length === 0) return undefined;
    return {
      suspect: [...suspect],
      returning: [...returning],
      dead: [...dead],
      absent: [...absent],
      majority,
    };
  }

  /** Groups that this member acts for, as counted last: a second ago at most after a verdict or a table. */
  get groups(): Readonly<Record<'acting' | 'appointed' | 'unavailable', number>> {
    return this.#groups;
  }

  /** Members of the table by how they stand. */
  get standings(): Record<'alive' | 'returning' | 'suspect' | 'dead' | 'absent', number> {
    const { suspect, returning, dead, absent } = this.verdicts;
    const all = this.#options.enforcer().table?.members.length ?? 0;
    const others = suspect.length + returning.length + dead.length + absent.length;
    return {
      alive: Math.max(0, all - others),
      returning: returning.length,
      suspect: suspect.length,
      dead: dead.length,
      absent: absent.length,
    };
  }

  /** As an operator would say it; '' when all is well. */
  get trouble(): string {
    const { dead, absent, suspect } = this.standings;
    const { missed } = this.#options.filling;
    const parts = [
      dead + absent > 0 ? `${dead + absent} members are dead` : '',
      suspect > 0 ? `${suspect} members are suspected` : '',
      missed > 0 ? `catching up on ${missed} groups` : '',
      this.#groups.unavailable > 0 ? `${this.#groups.unavailable} groups have no live copy` : '',
    ];
    return parts.filter((part) => part !== '').join('; ');
  }

  /** After the enforcer was made anew. */
  look(): void {
    this.#acted = textOf(this.#options.enforcer().verdicts);
    this.#count.request();
  }

  stop(): void {
    this.detector.stop();
    this.#act.stop();
    this.#count.stop();
  }

  /** Counts what this member acts for, and tells of it. */
  #countGroups(): void {
    const { metrics, log } = this.#options;
    const before = this.#groups;
    this.#groups = this.#options.enforcer().failover();
    const { acting, appointed, unavailable } = this.#groups;
    if (acting > before.acting) metrics.failovers.inc();
    if (acting !== before.acting || appointed !== before.appointed || unavailable !== before.unavailable)
      log.warn(
        { acting, appointed, unavailable },
        'groups for which this member acts, and groups without a live copy',
      );
  }

  #onVerdicts(verdicts: Verdicts): void {
    if (textOf(verdicts) !== this.#acted) this.#act.request();
  }
}

/** What of verdicts changes what members do: a suspect keeps its roles, and while all serve a majority changes nothing. */
function textOf(verdicts: MemberVerdicts): string {
  const { returning, dead, absent, majority } = verdicts;
  return isAllAlive(verdicts) ? '' : JSON.stringify({ returning, dead, absent, majority });
}
