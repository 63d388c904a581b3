import { type Jobs, PLACE_QUEUE } from '@covey/jobs';
import type { Logger } from '@covey/log';
import {
  carryOut,
  isExempt,
  listMembers,
  listProbes,
  type MemberRow,
  type Probe,
  type Sql,
  setCapacity,
  storeProbe,
} from '@covey/postgres';
import { PlacementTable } from '@covey/table';
import { lastEpoch, tableOf } from '../epochs/epoch-store.ts';
import { type AdmissionRule, clampCapacity } from '../membership/admission.ts';
import { type CanaryOptions, probeMember } from './canary.ts';
import { type CompareOptions, compareCopies } from './compare-copies.ts';
import { goesAstray, halved, halvingsBySlowness } from './judge.ts';

const NOTHING_COMPARED = { compared: 0, withheld: [] };
/** An admin's reinstatement stands so long against what probes say. */
const EXEMPT_DAYS = 7;

export interface ProberOptions extends CanaryOptions, CompareOptions {
  sql: Sql;
  jobs: Pick<Jobs, 'add'>;
  /** This coordinator's public key: the actor in the log. */
  pubkey: string;
  admission: AdmissionRule;
  /** Between two rounds over all members. */
  everyMs: number;
  leads: () => boolean;
  /** Whether the member says that it applies this epoch: who does not is behind, not astray. */
  applies: (member: string, epoch: number) => boolean;
  onProbe: (member: MemberRow, probe: Probe) => void;
  log: Pick<Logger, 'info' | 'warn'>;
}

/**
 * Looks, while this coordinator leads, whether members keep to the table that they acknowledge and are as fast as they
 * declare. Who goes astray is suspended: it gets nothing new. Who is slow counts for less. Both are written down and
 * shown, and an admin's reinstatement stands against the first.
 */
export class Prober {
  readonly #options: ProberOptions;
  #timer: NodeJS.Timeout | undefined;
  #working: Promise<void> | undefined;
  #stopped = false;

  constructor(options: ProberOptions) {
    this.#options = options;
  }

  start(): void {
    this.#timer = setTimeout(() => void this.round(), this.#options.everyMs);
    this.#timer.unref();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    await this.#working;
  }

  /** Probes every member once, one after the other. Never throws. */
  async round(): Promise<void> {
    clearTimeout(this.#timer);
    this.#working ??= this.#round()
      .catch((error) => this.#options.log.warn({ error: String(error) }, 'members could not be probed'))
      .finally(() => {
        this.#working = undefined;
        if (!this.#stopped) this.start();
      });
    await this.#working;
  }

  async #round(): Promise<void> {
    const { sql, leads, applies, onProbe } = this.#options;
    const last = leads() ? await lastEpoch(sql) : undefined;
    if (!last) return;
    const table = new PlacementTable(await tableOf(sql, last.epoch));
    for (const member of await listMembers(sql)) {
      const index = table.memberIndex(member.id);
      const isIn = ['active', 'draining', 'suspended'].includes(member.state);
      if (this.#stopped || !leads()) return;
      if (index === undefined || !isIn || !applies(member.id, last.epoch)) continue;
      const probe = await this.#probe(table, index);
      await storeProbe(sql, member.id, probe);
      onProbe(member, probe);
    }
    await this.#judge();
  }

  /** As a client would use it; and what it gives to readers beside what the other holders give. */
  async #probe(table: PlacementTable, index: number): Promise<Probe> {
    const probe = await probeMember(table, index, this.#options);
    if (probe.outcome !== 'ok') return probe;
    const { compared, withheld } = await compareCopies(table, index, this.#options).catch(
      () => NOTHING_COMPARED,
    );
    if (withheld.length === 0) return probe;
    // Shown, and not used against it: two others could agree on what was never written, or what it was told to forget.
    const detail = `withholds ${withheld.length} of ${compared} events that two other holders give, ${withheld[0]} among them`;
    this.#options.log.warn(
      { member: table.members[index]!.id, compared, withheld: withheld.slice(0, 10) },
      'a member does not give readers what two other holders give',
    );
    return { ...probe, detail };
  }

  async #judge(): Promise<void> {
    const { sql, jobs, pubkey, admission, log } = this.#options;
    const probes = await listProbes(sql);
    const members = await listMembers(sql);
    const active = members.filter(({ state }) => state === 'active');
    let changed = false;
    for (const { id, name } of active) {
      const outcomes = probes.get(id) ?? [];
      if (!goesAstray(outcomes) || (await isExempt(sql, id, EXEMPT_DAYS))) continue;
      const reason = `found by probes: ${outcomes.find(({ outcome }) => outcome === 'astray')!.detail}`;
      await carryOut(sql, { action: 'suspend', member: id, reason: reason.slice(0, 500) }, { actor: pubkey });
      log.warn({ member: id, name, reason }, 'a member does not keep to the table: suspended');
      changed = true;
    }
    const halvings = halvingsBySlowness(new Map(active.map(({ id }) => [id, probes.get(id) ?? []])));
    for (const { id, name, declared, capacity, source } of active) {
      const others = active.filter((other) => other.id !== id).map((other) => other.declared);
      const full =
        source === 'file' ? declared : clampCapacity(declared, others, admission.capacityFactorMax);
      const used = halved(full, halvings.get(id) ?? 0);
      if (
        used.copies === capacity.copies &&
        used.connections === capacity.connections &&
        used.reads === capacity.reads
      )
        continue;
      await setCapacity(sql, id, used);
      log.warn({ member: id, name, declared, used }, 'what a member counts for has changed');
      changed = true;
    }
    if (changed) await jobs.add(PLACE_QUEUE, { reason: 'probes', force: false });
  }
}
