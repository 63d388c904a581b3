import type { CoordinatorRow, LoggedEntry, MemberRow, Probe } from '@covey/postgres';
/** A row of the history of epochs, as the public may see it. */
export interface EpochRow {
  epoch: number;
  /** ISO 8601. */
  createdAt: string;
  root: string;
  accounts: number;
  groups: number;
  moved: number;
  manifestId: string;
}

/** The coordinator's report of an epoch, for admins: communities of real accounts and what moved. */
export interface EpochReport {
  communities: CommunityReport[];
  /** Strongest ties between the communities listed: [community, community, follows between them]. */
  edges: [number, number, number][];
  moved: {
    accounts: number;
    byReason: Record<string, number>;
    /** Copies that each of `members` got and gave up. */
    byMember: { came: number; left: number }[];
  };
  /** In the order of the epoch's table. Loads are of readers looked at, against the mean for the declared capacity. */
  members: {
    id: string;
    masters: number;
    copies: number;
    groups: number;
    connections: number;
    reads: number;
  }[];
  /** Who shaped the placement; null in reports of before there was trust. */
  trust: Trust | null;
  figures: Record<string, number>;
  /** Milliseconds by phase. */
  ms: Record<string, number>;
}

export interface Trust {
  basis: 'seeds' | 'equal';
  seeds: number;
  unknownSeeds: number;
  readers: number;
  placed: number;
  pinsRefused: number;
}

/** Why an account stands where it does, as the coordinator stored it; members are places in its report's list. */
export interface AccountExplanation {
  pubkey: string;
  community: number;
  followers: number;
  readers: number;
  open: { member: number; readers: number }[];
  holders: { member: number; readers: number; needed: number }[];
  alternatives: { from: number; to: number; relays: number }[];
  pinned?: number[];
}

export interface CommunityReport {
  id: number;
  accounts: number;
  /** Follows within the community. */
  follows: number;
  /** Name of its most followed account that has one, else empty. */
  label: string;
  /** Most followed first; `name` is empty when none is known. */
  top: { pubkey: string; name: string; followers: number }[];
  /** Where its accounts' masters are: [member id, accounts]. */
  members: [string, number][];
}

/** What the api asks of the coordinator's database. Everything else is answered without it. */
export interface ClusterReader {
  /** The accounts that `pubkey` follows, as hex, or undefined when no follow list of it is known. */
  followeesOf(pubkey: string): Promise<string[] | undefined>;
  /** Newest first, those before `before` (an epoch) only. */
  epochs(options: { before: number | undefined; limit: number }): Promise<EpochRow[]>;
  /** Why an account stands where it does, by the newest placement up to `epoch`; undefined when that explains it not. */
  explanation(
    pubkey: string,
    epoch: number,
  ): Promise<{ epoch: number; account: AccountExplanation } | undefined>;
  /** Who is a member, who leads, what is paused, and who did what lately. */
  authority(logLimit: number): Promise<Authority>;
  /** The newest report up to `epoch`, or undefined when there is none. */
  report(epoch: number): Promise<{ epoch: number; report: EpochReport } | undefined>;
}

/** The state of the cluster's authority, for admins. */
export interface Authority {
  members: (MemberRow & { probes: (Probe & { at: string })[] })[];
  coordinators: CoordinatorRow[];
  paused: { at: string; reason: string } | null;
  log: Omit<LoggedEntry, 'event'>[];
}

/** The database is not there, or too slow. */
export class DatabaseUnavailableError extends Error {
  override name = 'DatabaseUnavailableError';
}
