import { type Decision, Enforcer, placingKeys } from '@covey/enforcement';
import { redirectMessage } from '@covey/protocol';
import type { PlacementTable } from '@covey/table';
import { type DenyList, deniedBy, NOTHING_DENIED } from '../deny-list.ts';
import type { UnknownQuota } from '../unknown-quota.ts';
import {
  type Answer,
  CLIENT_SOURCES,
  MSG_CHARACTERS_MAX,
  OWN_SOURCES,
  type PlacedEvent,
  type PluginRequest,
  SYNCED_SOURCES,
} from './messages.ts';

/** strfry can't forward: a client is sent to where the account lives, or everything is taken and counted. */
export const PLUGIN_WRITES = ['redirect', 'observe'] as const;
export type PluginWrites = (typeof PLUGIN_WRITES)[number];
export const SYNCED_CHOICES = ['accept', 'reject'] as const;

/** Why an answer was given, as the counters name it. */
export type Outcome =
  | 'accepted'
  | 'redirected'
  | 'observed'
  | 'denied'
  | 'limited'
  | 'protected'
  | 'no table'
  | 'not a member'
  | 'from a member'
  | 'own'
  | 'synced'
  | 'synced elsewhere'
  | 'unknown source';

export interface Verdict {
  answer: Answer;
  outcome: Outcome;
}

export interface PolicyOptions {
  /** Public key (hex) of the member that this relay is. */
  self: string;
  writes: PluginWrites;
  /** What becomes of events of other relays that are not placed here. */
  synced: (typeof SYNCED_CHOICES)[number];
  quota: UnknownQuota;
}

const ACCEPT: Answer = { action: 'accept' };
/** Nobody waits for a text, and strfry logs none that is empty. */
const DROP: Answer = { action: 'reject', msg: '' };
const DENIED_KEY: Answer = { action: 'reject', msg: 'blocked: this relay takes no events of this key' };
const DENIED_KIND: Answer = { action: 'reject', msg: 'blocked: this relay takes no events of this kind' };
const LIMITED: Answer = {
  action: 'reject',
  msg: 'rate-limited: too many events of keys that are not known here; try again in a minute',
};
const PROTECTED: Answer = { action: 'reject', msg: 'blocked: only its author may publish it here (NIP-70)' };

const accepted = (outcome: Outcome): Verdict => ({ answer: ACCEPT, outcome });
const URLS_MAX = 8;

/**
 * What strfry is told about each event. In order: the operator's deny list, whatever the source; then placement, for
 * clients' writes alone. Where there is nothing to decide by (no table, or this relay is not in it), everything is accepted:
 * the cluster never closes a relay.
 */
export class StrfryPolicy {
  readonly #options: PolicyOptions;
  #enforcer: Enforcer | undefined;
  #table: PlacementTable | undefined;
  #denied: DenyList = NOTHING_DENIED;

  constructor(options: PolicyOptions) {
    this.#options = options;
  }

  useTable(table: PlacementTable): void {
    this.#table = table;
    this.#enforcer = new Enforcer(table, this.#options.self, this.#options.writes);
  }

  useDenyList(denied: DenyList): void {
    this.#denied = denied;
  }

  /** Whether this relay is a member under the table in force. */
  get member(): boolean {
    return this.#table?.memberIndex(this.#options.self) !== undefined;
  }

  decide({ event, sourceType, sourceInfo, authed }: PluginRequest): Verdict {
    const client = CLIENT_SOURCES.has(sourceType);
    const denied = deniedBy(this.#denied, event);
    if (denied)
      return { answer: client ? (denied === 'key' ? DENIED_KEY : DENIED_KIND) : DROP, outcome: 'denied' };
    if (OWN_SOURCES.has(sourceType)) return accepted('own');
    if (!client && !SYNCED_SOURCES.has(sourceType)) return accepted('unknown source');
    if (!this.#table || !this.#enforcer) return accepted('no table');
    if (!this.member) return accepted('not a member');
    if (!client) return this.#synced(event);
    return this.#written(event, sourceInfo, authed);
  }

  #synced(event: PlacedEvent): Verdict {
    if (this.#enforcer!.holds(event)) return accepted('synced');
    const answer = this.#options.synced === 'reject' ? DROP : ACCEPT;
    return { answer, outcome: 'synced elsewhere' };
  }

  #written(event: PlacedEvent, address: string, authed: string | undefined): Verdict {
    const member = authed !== undefined && this.#table!.memberIndex(authed) !== undefined;
    const decision = this.#enforcer!.decide(event, { member, hops: member ? 1 : 0, announced: false });
    if (member) {
      if (decision.reason === 'protected') return { answer: PROTECTED, outcome: 'protected' };
      // It sends what its table places here. Where the tables differ for a moment, keeping it loses nothing.
      return accepted('from a member');
    }
    if (decision.action !== 'accept') return this.#redirect(decision);
    if (this.#options.quota.limited && this.#unknown(event) && !this.#options.quota.take(address))
      return { answer: LIMITED, outcome: 'limited' };
    return accepted(decision.reason === 'observed' ? 'observed' : 'accepted');
  }

  /** The table lists none of the accounts that place this event. */
  #unknown(event: PlacedEvent): boolean {
    return placingKeys(event).every((key) => this.#table!.locate(key).source === 'slot');
  }

  #redirect({ holders }: Decision): Verdict {
    const urls: string[] = [];
    let characters = 0;
    for (const holder of holders) {
      const { url } = this.#table!.members[holder]!;
      characters += url.length + 1;
      if (urls.length === URLS_MAX || characters > MSG_CHARACTERS_MAX / 2) break;
      urls.push(url);
    }
    // A table whose members' URLs are that long names nobody to go to: the event is better off here than nowhere.
    if (urls.length === 0) return accepted('accepted');
    return { answer: { action: 'reject', msg: redirectMessage(urls) }, outcome: 'redirected' };
  }
}
