import type { Enforcer } from '@covey/enforcement';
import type { FillSession } from '../../services/relay/src/members/filling.ts';
import type { SimEvent } from './disk.ts';
import type { Message } from './messages.ts';
import type { SimMember } from './sim-member.ts';

const LOOK_MS = 500;
const ANSWER_MS = 3000;
const EVERY_MS = 10_000;

interface Comparison {
  ref: number;
  member: string;
  session: FillSession;
  epoch: number;
  untilMs: number;
}

/** A model of the relay's repair: one comparison at a time, with whom something is to be had from, else in turn. */
export class SimRepair {
  readonly #member: SimMember;
  #open: Comparison | undefined;
  readonly #triedAtMs = new Map<string, number>();

  constructor(member: SimMember) {
    this.#member = member;
  }

  start(): void {
    const { world, index } = this.#member;
    const again = () => {
      this.#look();
      world.after(LOOK_MS, index, 'repair', again);
    };
    world.after(LOOK_MS, index, 'repair', again);
  }

  #look(): void {
    const { world, filling, enforcer, cluster } = this.#member;
    if (!enforcer.table) return;
    if (this.#open) {
      if (world.nowMs < this.#open.untilMs) return;
      this.#open = undefined;
      // Who can't be reached is not waited for by groups that others were asked about.
      filling.recheck(this.#reachable);
    }
    const since = (member: string) => world.nowMs - (this.#triedAtMs.get(member) ?? 0);
    const next =
      filling.wanted().find((member) => since(member) > LOOK_MS && this.#reachable(member)) ??
      [...filling.peers].find((member) => since(member) > EVERY_MS);
    if (next === undefined) return;
    this.#triedAtMs.set(next, world.nowMs);
    const ref = cluster.nextRef();
    const { epoch } = enforcer.table;
    this.#open = { ref, member: next, session: filling.begin(), epoch, untilMs: world.nowMs + ANSWER_MS };
    const index = enforcer.table.memberIndex(next)!;
    this.#member.send(cluster.ids.indexOf(next), {
      type: 'compare',
      ref,
      epoch,
      verdicts: enforcer.verdicts,
      ids: new Set(this.#shared(index, enforcer).map(({ id }) => id)),
    });
  }

  readonly #reachable = (member: string): boolean => {
    const { enforcer } = this.#member;
    const index = enforcer.table?.memberIndex(member);
    return index !== undefined && !enforcer.isDead(index);
  };

  #shared(other: number, enforcer: Enforcer): SimEvent[] {
    return [...this.#member.disk.events.values()].filter((event) => enforcer.shares(event, other));
  }

  receive(from: number, message: Extract<Message, { type: 'compare' | 'compared' }>): void {
    if (message.type === 'compare') this.#asked(from, message);
    else this.#answered(message);
  }

  #asked(from: number, { ref, epoch, verdicts, ids }: Extract<Message, { type: 'compare' }>): void {
    const { enforcer, cluster, filling, tables } = this.#member;
    tables.told(epoch, from);
    const other = enforcer.table?.memberIndex(cluster.ids[from]!);
    if (other === undefined) return;
    const view = cluster.without.has('view in comparisons') ? enforcer : enforcer.under(verdicts);
    this.#member.send(from, {
      type: 'compared',
      ref,
      epoch: enforcer.table!.epoch,
      events: this.#shared(other, view).filter(({ id }) => !ids.has(id)),
      filling: filling.groups.some((group) => enforcer.othersOfGroup(group).includes(other)),
    });
  }

  #answered({ ref, epoch, events, filling: isFilling }: Extract<Message, { type: 'compared' }>): void {
    const open = this.#open;
    if (open?.ref !== ref) return;
    this.#open = undefined;
    const { filling, disk, cluster } = this.#member;
    if (epoch !== open.epoch && !cluster.without.has('view in comparisons')) return; // it knows not what both share
    const lacking = events.filter(({ id }) => !disk.events.has(id));
    let left = lacking.length;
    const done = () => {
      if (left-- > 1) return;
      const full = !isFilling || cluster.without.has('full from the full');
      filling.taken(open.member, full, this.#reachable, open.session);
    };
    if (left === 0) done();
    for (const keep of lacking) this.#member.commit({ keep }, done);
  }
}
