import type { PlacementTable } from '@covey/table';
import { type LinkOptions, MemberLink } from './member-link.ts';

/** One link for every other member of the current table. */
export class MemberLinks {
  readonly #options: LinkOptions;
  #links = new Map<string, MemberLink>();
  #table: PlacementTable | undefined;
  /** Called with a member that left the table, or whose URL changed, after its link was closed. */
  onGone: (member: string) => void = () => {};

  /** Called when a member has opened a connection to this one, so that it can be reached again. */
  onHeard: (member: string) => void = () => {};

  /** Called when a connection that a member had opened here has ended. */
  onLeft: (member: string) => void = () => {};

  /** Called with an answer of a member to a probe. */
  onProbeAnswer: (member: string, frame: readonly unknown[]) => void = () => {};

  /** Called when a member says that events for this one wait there. */
  onBehind: (member: string) => void = () => {};

  /** Called when the connection from here to a member has broken. */
  onLost: (member: string) => void = () => {};

  constructor(options: Omit<LinkOptions, 'epoch' | 'onProbeAnswer' | 'onBehind' | 'onLost'>) {
    this.#options = {
      ...options,
      epoch: () => this.#table?.epoch ?? 0,
      onProbeAnswer: (member, frame) => this.onProbeAnswer(member, frame),
      onBehind: (member) => this.onBehind(member),
      onLost: (member) => this.onLost(member),
    };
  }

  /** Takes over the members of a new table; links to members that stay are kept as they are. */
  update(table: PlacementTable): void {
    this.#table = table;
    const before = this.#links;
    this.#links = new Map();
    for (const { id, url } of table.members) {
      if (id === this.#options.self.pubkey) continue;
      const known = before.get(id);
      this.#links.set(id, known?.url === url ? known : new MemberLink(id, url, this.#options));
    }
    for (const [id, link] of before)
      if (this.#links.get(id) !== link) {
        link.close();
        this.onGone(id);
      }
    for (const link of this.#links.values()) link.tellEpoch();
  }

  /** By member id. */
  get(member: string): MemberLink | undefined {
    return this.#links.get(member);
  }

  /** By index in the current table. */
  at(index: number): MemberLink | undefined {
    const member = this.#table?.members[index];
    return member && this.#links.get(member.id);
  }

  /** A connection has proved to be this member's. */
  heard(member: string): void {
    this.#links.get(member)?.retryNow();
    if (this.#links.has(member)) this.onHeard(member);
  }

  has(member: string): boolean {
    return this.#links.has(member);
  }

  get connected(): number {
    let count = 0;
    for (const link of this.#links.values()) if (link.connected) count++;
    return count;
  }

  close(): void {
    for (const link of this.#links.values()) link.close();
    this.#links.clear();
  }
}
