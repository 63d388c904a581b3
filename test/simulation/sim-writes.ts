import type { NostrEvent } from '@covey/nostr';
import type { PlacementTable } from '@covey/table';
import { RecentArrivals } from '../../services/relay/src/members/recent-arrivals.ts';
import { Disk, type SimEvent, type Spooled, type Write } from './disk.ts';
import type { Message } from './messages.ts';
import type { SimMember } from './sim-member.ts';

const SECOND_COPY_MS = 2000;
const HOLDER_MS = 1000;
/** Until an event that was not answered is sent again. */
const RETRY_MS = 2000;
const WINDOW = 32;

interface Waiting {
  members: Set<string>;
  settle: (confirmed: boolean) => void;
}

/** A model of the relay's write path and forwarder: store and spool in one commit, then copies, then OK. */
export class SimWrites {
  readonly #member: SimMember;
  readonly #arrivals: RecentArrivals;
  /** What waits is lost with the process where the guard is off. */
  readonly #memory = new Disk();
  readonly #waiting = new Map<string, Waiting>();
  readonly #inFlight = new Map<string, number>();
  readonly #refs = new Map<number, { event: SimEvent; member: string }>();

  constructor(member: SimMember) {
    this.#member = member;
    this.#arrivals = new RecentArrivals(() => member.world.nowMs);
  }

  start(): void {
    const { world, index } = this.#member;
    const again = () => {
      this.#pump();
      world.after(1000, index, 'pump', again);
    };
    world.after(1000, index, 'pump', again);
  }

  get #spool(): Map<string, Spooled> {
    return this.#member.cluster.without.has('spool on disk') ? this.#memory.spool : this.#member.disk.spool;
  }

  /** Events that wait for others. */
  get spooled(): number {
    return this.#spool.size;
  }

  /** Of a commit: to disk. */
  write(write: Write): void {
    const { disk, cluster } = this.#member;
    if (cluster.without.has('spool on disk')) {
      const { spool, settled, ...rest } = write;
      disk.write(rest);
      this.#memory.write({ spool, settled });
    } else disk.write(write);
  }

  receive(from: number, message: Message): void {
    if (message.type === 'write') this.#fromClient(from, message.ref, message.event);
    else if (message.type === 'event') this.#fromMember(from, message.ref, message.event, message.hops);
    else if (message.type === 'ok') this.#answered(message.ref, message.accepted);
  }

  #fromClient(from: number, ref: number, event: SimEvent): void {
    const { enforcer, cluster, disk } = this.#member;
    if (disk.has(event.id)) return; // the same message again
    const decision = enforcer.decide(event, { member: false, hops: 0, announced: false });
    const holders = this.#member.idsOf(decision.holders);
    const keep = decision.action === 'accept' ? event : undefined;
    const { table } = this.#member;
    const answer = (confirmed: boolean) => {
      const copies = confirmed || cluster.without.has('two copies') ? 'two' : keep ? 'one' : 'none';
      this.#member.send(from, { type: 'written', ref, copies });
    };
    this.#member.commit({ keep, spool: { event, hops: 1, to: new Set(holders) } }, () => {
      this.#overtaken(table);
      const witnesses = this.#member.idsOf(this.#witnesses(event, decision.holders));
      if (cluster.without.has('two copies')) answer(true);
      else this.#confirmed(event.id, witnesses, keep ? SECOND_COPY_MS : HOLDER_MS, answer);
      this.#pump();
    });
  }

  /** Holders of the list that is read now; of the others only where none of these lives. */
  #witnesses(event: SimEvent, holders: readonly number[]): readonly number[] {
    const { enforcer } = this.#member;
    const living = holders.filter((index) => !enforcer.isDead(index));
    const writers = enforcer.writersOf(event.pubkey);
    const read = living.filter((index) => writers.includes(index));
    return read.length > 0 ? read : living;
  }

  #confirmed(id: string, members: readonly string[], ms: number, answer: (confirmed: boolean) => void): void {
    if (members.length === 0) {
      answer(false);
      return;
    }
    const waiting: Waiting = {
      members: new Set(members),
      settle: (confirmed) => {
        if (this.#waiting.delete(id)) answer(confirmed);
      },
    };
    this.#waiting.set(id, waiting);
    this.#member.world.after(ms, this.#member.index, 'confirm', () => waiting.settle(false));
  }

  #fromMember(from: number, ref: number, event: SimEvent, hops: number): void {
    const { enforcer, disk } = this.#member;
    const ok = (accepted: boolean) => this.#member.send(from, { type: 'ok', ref, accepted });
    const decision = enforcer.decide(event, { member: true, hops, announced: false });
    const { table } = this.#member;
    if (decision.action === 'accept') {
      if (disk.events.has(event.id)) {
        ok(true);
        return;
      }
      const to = new Set(this.#member.idsOf(decision.holders));
      this.#member.commit({ keep: event, spool: { event, hops: hops + 1, to } }, () => {
        this.#overtaken(table);
        this.#arrivals.add(this.#member.cluster.ids[from]!, event as NostrEvent);
        ok(true);
        if (to.size > 0) this.#pump();
      });
    } else if (decision.action === 'forward') {
      const to = new Set(this.#member.idsOf(decision.holders));
      this.#member.commit({ spool: { event, hops: hops + 1, to } }, () => {
        this.#overtaken(table);
        ok(true);
        this.#pump();
      });
    } else ok(false);
  }

  /** Sends what waits, a window to each member. */
  #pump(): void {
    const { world, cluster } = this.#member;
    if (!this.#member.table) return;
    const counts = new Map<string, number>();
    for (const { event, hops, to } of this.#spool.values())
      for (const member of to) {
        const index = cluster.ids.indexOf(member);
        const key = `${event.id} ${member}`;
        const count = counts.get(member) ?? 0;
        if (count >= WINDOW || (this.#inFlight.get(key) ?? 0) > world.nowMs) continue;
        counts.set(member, count + 1);
        this.#inFlight.set(key, world.nowMs + RETRY_MS);
        const ref = cluster.nextRef();
        this.#refs.set(ref, { event, member });
        this.#member.send(index, { type: 'event', ref, event, hops });
      }
  }

  #answered(ref: number, accepted: boolean): void {
    const sent = this.#refs.get(ref);
    if (!sent) return;
    this.#refs.delete(ref);
    const { event, member } = sent;
    const waiting = this.#waiting.get(event.id);
    if (waiting?.members.delete(member)) {
      if (accepted) waiting.settle(true);
      else if (waiting.members.size === 0) waiting.settle(false);
    }
    if (accepted)
      this.#member.commit({ settled: { id: event.id, member } }, () => {
        this.#inFlight.delete(`${event.id} ${member}`);
      });
  }

  /** What a member brought that is gone may not have reached the other holders. */
  passOn(gone: string): void {
    if (this.#member.cluster.without.has('pass on')) return;
    for (const event of this.#arrivals.takeFrom(gone)) {
      const others = this.#member.idsOf(this.#member.enforcer.othersOf(event));
      this.#member.commit({ spool: { event, hops: 1, to: new Set(others.filter((id) => id !== gone)) } });
    }
  }

  /** What was decided by an earlier table was rearranged without it. */
  #overtaken(table: PlacementTable | undefined): void {
    if (table !== this.#member.table) this.rearrange();
  }

  /** Under another table or verdict: what waits goes where it belongs now, what is held here no longer to its holders. */
  rearrange(): void {
    const { enforcer, disk } = this.#member;
    for (const { event, hops, to } of [...this.#spool.values()]) {
      const places = this.#member.idsOf(enforcer.placesOf(event));
      const gone = [...to].filter((member) => !places.includes(member));
      if (gone.length === 0) continue;
      this.#member.commit({ spool: { event, hops, to: new Set(places) } });
      for (const member of gone) this.#member.commit({ settled: { id: event.id, member } });
    }
    for (const event of disk.events.values()) {
      if (enforcer.holds(event)) continue;
      const holders = this.#member.idsOf(enforcer.byTable.othersOf(event));
      this.#member.commit({ spool: { event, hops: 1, to: new Set(holders) } });
    }
  }
}
