import { npubEncode } from '@covey/nostr';
import type { AccountExplanation, EpochReport } from './cluster-reader.ts';
import type { PlacementView } from './placement-view.ts';
import type { AdminAccount } from './schemas.ts';

interface Named {
  id: string;
  name: string;
  url: string;
}

/** The load from which a member counts as busy in what is told: half of what the search allows above the mean. */
const BUSY = 1.25;

/**
 * Why an account lives where it does, for people: its holders by the table that is served, the rest by the newest
 * explained placement. Pure.
 * @param explained undefined for an account that the placement did not list
 */
export function explainAccount(
  pubkey: string,
  view: PlacementView,
  { epoch, report }: { epoch: number; report: EpochReport },
  explained: AccountExplanation | undefined,
): AdminAccount {
  const { source, group, hub, members, copies } = view.table.locate(Buffer.from(pubkey, 'hex'));
  const byIndex = (index: number): Named => nameOf(view, report.members[index]?.id ?? '');
  const loadOf = (index: number) => report.members[index] ?? { connections: 0, reads: 0 };
  const readersLookedAt = report.figures['readers'] ?? 0;
  const {
    readers = 0,
    followers = null,
    open = [],
    holders = [],
    alternatives = [],
    pinned = [],
  } = explained ?? {};
  const community = explained && report.communities.find(({ id }) => id === explained.community);
  const holding = members.map((member, i) => {
    const named = nameOf(view, view.table.members[member]!.id);
    const counted = holders.find((holder) => report.members[holder.member]?.id === named.id);
    const role = i === 0 ? ('master' as const) : i < copies ? ('replica' as const) : ('read copy' as const);
    return { ...named, role, readers: counted?.readers ?? 0, needed: counted?.needed ?? 0 };
  });
  const account = {
    epoch,
    pubkey,
    npub: npubEncode(pubkey),
    source,
    group,
    hub,
    community: explained ? { id: explained.community, label: community?.label ?? '' } : null,
    followers,
    readers,
    readersLookedAt,
    holders: holding,
    open: open.map(({ member, readers }) => {
      const named = byIndex(member);
      return { ...named, readers, holds: holding.some(({ id }) => id === named.id) };
    }),
    pins: pinned.map((member) => pinOf(view, byIndex(member), holding, source === 'pin', copies)),
    alternatives: alternatives.map(({ from, to, relays }) => ({
      from: byIndex(from),
      to: byIndex(to),
      relays,
      fanout: readersLookedAt > 0 ? relays / readersLookedAt : 0,
      connections: loadOf(to).connections,
      reads: loadOf(to).reads,
    })),
  };
  return { ...account, why: sentences(account, report) };
}

function nameOf({ table }: PlacementView, id: string): Named {
  const member = table.members.find((one) => one.id === id);
  return { id, name: member?.name ?? 'no longer a member', url: member?.url ?? '' };
}

function pinOf(
  view: PlacementView,
  named: Named,
  holding: readonly Named[],
  isPinned: boolean,
  copies: number,
): AdminAccount['pins'][number] {
  const hard = isPinned && holding.slice(0, copies).some(({ id }) => id === named.id);
  const member = view.table.members.find(({ id }) => id === named.id);
  const reason = hard
    ? 'kept'
    : !member
      ? 'it left the cluster'
      : member.state !== 'active'
        ? 'it is draining'
        : isPinned
          ? 'the list names more members than there are copies, or the member’s quota of pins is used up'
          : 'the quota of pins of that member is used up, or nobody trusts the account yet';
  return { ...named, hard, reason };
}

function sentences(account: Omit<AdminAccount, 'why'>, report: EpochReport): string[] {
  const { source, holders, pins, readers, readersLookedAt, alternatives, community, followers, hub } =
    account;
  const why: string[] = [];
  const kept = pins.filter(({ hard }) => hard);
  if (kept.length > 0)
    why.push(
      `Its own relay list names ${list(kept)}, so it is pinned there; the other copies were placed by search.`,
    );
  for (const { name, hard, reason } of pins)
    if (!hard) why.push(`It also names ${name}: not kept, as ${reason}.`);
  if (source === 'slot') {
    const trust = report.trust;
    why.push(
      trust?.basis === 'seeds'
        ? `No group lists it, so the hash of its key decides: no reader that counts follows it, or trust from the seeds does not reach it (${trust.placed} accounts are placed by search).`
        : 'No group lists it, so the hash of its key decides: the follow graph of the last placement does not have it.',
    );
    return why;
  }
  if (followers !== null)
    why.push(
      `It is in the community ${community?.label ? `of ${community.label}` : `number ${community?.id}`} and has ${count(followers, 'follower')}; ${readers} of the ${readersLookedAt} readers looked at follow it.`,
    );
  if (readers > 0) {
    const reached = holders.filter((holder) => holder.readers > 0).map((h) => `${h.name} (${h.readers})`);
    why.push(`They have these of its members open: ${reached.length > 0 ? reached.join(', ') : 'none'}.`);
  }
  if (hub) why.push('It is a hub: read copies stand near its readers beside the write copies.');
  const best = alternatives[0];
  if (best) why.push(alternativeSentence(best));
  else if (readers === 0 && followers !== null)
    why.push(
      'None of the readers looked at follows it: it stands where its community is and where there is room.',
    );
  return why;
}

function alternativeSentence({
  from,
  to,
  relays,
  connections,
  reads,
}: AdminAccount['alternatives'][number]): string {
  const load = `${to.name} has ${connections.toFixed(2)} of the mean connections and ${reads.toFixed(2)} of the mean reads`;
  const move = `With its copy at ${from.name} on ${to.name} instead, its readers would open`;
  if (relays > 0) return `${move} ${count(relays, 'relay')} more in all: nowhere is better.`;
  if (relays === 0) return `${move} as many: nowhere is better (${load}).`;
  const busy = connections >= BUSY || reads >= BUSY;
  return `${move} ${count(-relays, 'relay')} fewer in all; ${load}${busy ? ', so load decided' : ', and the search did not find or keep that move'}.`;
}

const count = (n: number, what: string): string => `${n.toLocaleString('en')} ${what}${n === 1 ? '' : 's'}`;
const list = (named: readonly Named[]): string => named.map(({ name }) => name).join(', ');
