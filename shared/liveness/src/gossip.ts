import { RUMOURS_MAX, type Rumour } from './rumour.ts';

/** Times that news is passed on: this many for each doubling of the members (SWIM, section 4.1). */
const SPREAD = 3;
/** News in one message; the rest of it is what is known of members in turn, so that who missed the news hears it too. */
const NEWS_MAX = 16;
const OLD_MAX = 6;

/** Which rumours go along with the next message: the newest first, each a bounded number of times. */
export class Gossip {
  readonly #sent = new Map<string, number>();
  #turn = 0;

  /** Something new is known of this member. */
  news(member: string): void {
    this.#sent.delete(member);
    this.#sent.set(member, 0);
  }

  forget(member: string): void {
    this.#sent.delete(member);
  }

  /**
   * @param first members told of in any case
   * @param known all members, in an order that stays
   * @param rumourOf what is known of one
   */
  pick(
    first: readonly string[],
    known: readonly string[],
    rumourOf: (member: string) => Rumour | undefined,
  ): Rumour[] {
    const picked = new Set(first);
    const sentMax = SPREAD * Math.ceil(Math.log2(known.length + 2));
    const fresh = [...this.#sent].sort((a, b) => a[1] - b[1]).slice(0, NEWS_MAX);
    for (const [member, times] of fresh) {
      picked.add(member);
      if (times + 1 >= sentMax) this.#sent.delete(member);
      else this.#sent.set(member, times + 1);
    }
    for (let i = 0; i < Math.min(OLD_MAX, known.length); i++) {
      this.#turn = (this.#turn + 1) % known.length;
      picked.add(known[this.#turn]!);
    }
    return [...picked]
      .map(rumourOf)
      .filter((rumour) => rumour !== undefined)
      .slice(0, RUMOURS_MAX);
  }
}
