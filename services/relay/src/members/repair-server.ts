import type { Enforcer } from '@covey/enforcement';
import { answerReconciliation, NegentropyError, NegentropyItems } from '@covey/nostr';
import type { SharedItems } from '../store/shared-items.ts';
import type { Filling } from './filling.ts';
import { REPAIR_FRAME_BYTES_MAX, REPAIR_ITEMS_MAX, type RepairScope, readScope } from './repair-scope.ts';
import { readView } from './repair-view.ts';

/** Reconciliations that one member may have open here. */
const OPEN_MAX = 2;

export interface RepairServerOptions {
  items: SharedItems;
  enforcer: () => Enforcer;
  filling: Filling;
}

/**
 * The side that is asked: compares what it shares with another member (events that belong to both) with what that one has.
 * Ids alone are exchanged; the member fetches what it lacks by REQ. One for each connection.
 */
export class RepairServer {
  readonly #options: RepairServerOptions;
  readonly #open = new Map<string, NegentropyItems>();
  #closed = false;

  constructor(options: RepairServerOptions) {
    this.#options = options;
  }

  /**
   * Answers one frame: `["COVEY-NEG",id,scope,message]` opens, `["COVEY-NEG",id,message]` goes on,
   * `["COVEY-NEG-CLOSE",id]` ends.
   * @param member who asks: undefined when the connection has not proved to be a member
   */
  async answer(frame: readonly unknown[], member: string | undefined): Promise<unknown[] | undefined> {
    const [type, id] = frame;
    if (typeof id !== 'string' || id.length > 64) return ['NOTICE', 'invalid: a repair has an id'];
    const refuse = (reason: string) => {
      this.#open.delete(id);
      return ['COVEY-NEG-ERR', id, reason];
    };
    if (type === 'COVEY-NEG-CLOSE') {
      this.#open.delete(id);
      return undefined;
    }
    if (member === undefined) return refuse('restricted: repair is between members');
    try {
      const message = frame.at(-1);
      if (typeof message !== 'string') return refuse('invalid: a message is hex');
      if (frame.length > 3) {
        if (this.#open.size >= OPEN_MAX && !this.#open.has(id))
          return refuse(`rate-limited: ${OPEN_MAX} repairs are open on this connection`);
        const scope = readScope(frame[2]);
        if (!scope) return refuse('invalid: the scope is {"kinds"?,"since","until"}');
        const view = readView(frame[2]);
        if (!view) return refuse('invalid: verdicts are {"returning","dead","absent","majority"}');
        const items = await this.#items(scope, member, this.#options.enforcer().under(view));
        if (!items) return refuse(`blocked: over ${REPAIR_ITEMS_MAX} events; ask for less time`);
        if (this.#closed) return undefined;
        this.#open.set(id, items);
      }
      const items = this.#open.get(id);
      if (!items) return refuse('closed: no such repair is open');
      const answer = answerReconciliation(items, message, { frameBytesMax: REPAIR_FRAME_BYTES_MAX });
      return ['COVEY-NEG', id, answer, { filling: this.#fills(member), epoch: this.#epoch }];
    } catch (error) {
      if (error instanceof NegentropyError) return refuse(`invalid: ${error.message}`);
      throw error;
    }
  }

  async #items(scope: RepairScope, member: string, current: Enforcer): Promise<NegentropyItems | undefined> {
    const shared = this.#options.items;
    const index = current.table?.memberIndex(member) ?? -1;
    const items = await shared.read(scope, (event) => current.shares(event, index), REPAIR_ITEMS_MAX);
    return items && new NegentropyItems(items);
  }

  get #epoch(): number {
    return this.#options.enforcer().table?.epoch ?? 0;
  }

  /** Whether something that this member shares with `member` is incomplete here. */
  #fills(member: string): boolean {
    const { filling, enforcer } = this.#options;
    const index = enforcer().table?.memberIndex(member) ?? -1;
    return filling.groups.some((group) => enforcer().othersOfGroup(group).includes(index));
  }

  end(): void {
    this.#closed = true;
    this.#open.clear();
  }
}
