import { type Jobs, PLACE_QUEUE } from '@covey/jobs';
import type { Logger } from '@covey/log';
import {
  appendLog,
  listMembers,
  listRevocations,
  type MemberRow,
  readControls,
  releaseLeaving,
  type Sql,
  seedMembers,
  storeAdmission,
  touchCoordinator,
} from '@covey/postgres';
import { isAdmission, signAdmission } from '@covey/protocol';
import { PlacementTable, Revocations, type TableMember } from '@covey/table';
import type { CoordinatorKeys } from '../config.ts';
import { lastEpoch, tableOf } from '../epochs/epoch-store.ts';
import type { NatsUsers } from './nats-users.ts';

const TICK_MS = 5_000;

export interface KeeperOptions {
  sql: Sql;
  jobs: Pick<Jobs, 'add'>;
  cluster: string;
  name: string;
  keys: CoordinatorKeys;
  /** From the members file: they become members when they are not yet. */
  file: readonly (TableMember & { nkey?: string | undefined })[];
  natsUsers: NatsUsers | undefined;
  leads: () => boolean;
  /** Unix milliseconds. */
  nowMs: () => number;
  onMembers: (members: readonly MemberRow[], paused: boolean) => void;
  /** The root has declared this coordinator's own key void. */
  onRevoked: () => void;
  log: Pick<Logger, 'info' | 'warn'>;
}

/**
 * Keeps the list of members in order, every few seconds: says that this coordinator is there; while it leads, lets go who
 * asked to leave and holds nothing any more, signs admissions, and keeps the NATS users up to date.
 */
export class Keeper {
  readonly #options: KeeperOptions;
  #timer: NodeJS.Timeout | undefined;
  #working: Promise<void> | undefined;
  #stopped = false;
  #held: { epoch: number; ids: Set<string> } | undefined;

  constructor(options: KeeperOptions) {
    this.#options = options;
  }

  /** Brings the members file in, then goes on looking. @throws when PostgreSQL fails */
  async start(): Promise<void> {
    const { sql, file, log } = this.#options;
    const fresh = await seedMembers(sql, file);
    if (fresh.length > 0) log.info({ members: fresh }, 'members of the file are new to the cluster');
    await this.look();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    await this.#working;
  }

  /** Looks now. Never throws. */
  async look(): Promise<void> {
    clearTimeout(this.#timer);
    this.#working ??= this.#tick().finally(() => {
      this.#working = undefined;
      if (!this.#stopped) this.#timer = setTimeout(() => void this.look(), TICK_MS);
    });
    await this.#working;
  }

  async #tick(): Promise<void> {
    const { sql, name, keys, leads, onMembers, log } = this.#options;
    try {
      if (await this.#isRevoked()) return this.#options.onRevoked();
      await touchCoordinator(sql, { name, pubkey: keys.pubkey });
      if (leads()) await this.#release();
      const members = await listMembers(sql);
      onMembers(members, (await readControls(sql)).paused !== undefined);
      if (!leads()) return;
      for (const member of members) await this.#admit(member);
      this.#updateNats(members);
    } catch (error) {
      log.warn({ error: String(error) }, 'the list of members could not be looked after');
    }
  }

  async #isRevoked(): Promise<boolean> {
    const { sql, cluster, keys } = this.#options;
    const revocations = new Revocations([keys.certificate.pubkey], cluster);
    for (const event of await listRevocations(sql)) revocations.add(event);
    return revocations.lastEpochOf(keys.pubkey) !== undefined;
  }

  async #release(): Promise<void> {
    const { sql, jobs, keys, log } = this.#options;
    const leaving = await sql`select 1 from members where leaving limit 1`;
    if (leaving.length === 0) return;
    const held = await this.#heldMembers();
    const gone = await sql.begin(async (tx) => {
      const ids = await releaseLeaving(tx, held);
      for (const id of ids)
        await appendLog(tx, {
          actor: keys.pubkey,
          action: 'left',
          subject: id,
          detail: { reason: 'asked to leave; no group names it' },
        });
      return ids;
    });
    if (gone.length === 0) return;
    log.info({ members: gone }, 'members have left');
    await jobs.add(PLACE_QUEUE, { reason: 'member: left', force: false });
  }

  /** Ids of the members that a group of the current table names, also as the list that it leaves. */
  async #heldMembers(): Promise<Set<string>> {
    const last = await lastEpoch(this.#options.sql);
    if (!last) return new Set();
    if (this.#held?.epoch !== last.epoch) {
      const table = new PlacementTable(await tableOf(this.#options.sql, last.epoch));
      this.#held = { epoch: last.epoch, ids: membersNamed(table) };
    }
    return this.#held.ids;
  }

  /** The coordinator's half of a membership: for whoever asked with its own signature, again when its URL changed. */
  async #admit(member: MemberRow): Promise<void> {
    const { sql, cluster, keys, nowMs } = this.#options;
    const { id, url, state, source, admission } = member;
    if (source !== 'join' || state !== 'active') return;
    const claim = { cluster, member: id, url };
    if (admission && isAdmission(admission, { ...claim, coordinator: admission.pubkey })) return;
    const rows = await sql<{ id: string }[]>`select request->>'id' as id from members where id = ${id}`;
    const signed = signAdmission({ ...claim, request: rows[0]!.id }, Math.floor(nowMs() / 1000), keys);
    await storeAdmission(sql, id, signed);
  }

  #updateNats(members: readonly MemberRow[]): void {
    const { natsUsers, log } = this.#options;
    const inside = members.filter(({ state }) => ['active', 'draining', 'suspended'].includes(state));
    if (natsUsers?.update(inside))
      log.info({ members: inside.length }, 'the NATS users were brought up to date');
  }
}

/** Ids of the members that some group names, as one of its list or of the list that it leaves. */
export function membersNamed(table: PlacementTable): Set<string> {
  const indexes = new Set<number>();
  for (let group = 0; group < table.groupCount; group++)
    for (const member of table.group(group).members) indexes.add(member);
  for (const { from } of table.moves()) for (const member of from.members) indexes.add(member);
  return new Set([...indexes].map((index) => table.members[index]!.id));
}
