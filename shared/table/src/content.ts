/** A relay of the cluster as the table carries it. Order in the table is the member's index (u16) everywhere else. */
export interface TableMember {
  /** The member's public key, hex: its NIP-11 `self`, and its identity between members and over NATS. */
  id: string;
  /** The URL that clients open. */
  url: string;
  name: string;
  /** Failure domain: who runs it. */
  operator: string;
  /** Relative numbers, as declared and clamped. */
  capacity: { copies: number; connections: number; reads: number };
  state: 'active' | 'draining';
}

/** Accounts (or a slot) that share one ordered list of members, and move, replicate and fail over as one. */
export interface TableGroup {
  /** Member indexes: master, replicas by seniority, then read copies. All different. */
  members: readonly number[];
  /** How many of `members`, from the front, take writes: the master and the replicas. The rest are read copies. */
  copies: number;
  hub: boolean;
  /** The group's list follows its accounts' own relay lists (NIP-65). */
  pinned: boolean;
}

/** Phases of a group that changes its members, in order (ScyllaDB's, for tablets). */
export const MOVE_PHASES = ['write-both-read-old', 'copy', 'write-both-read-new', 'clean-up'] as const;
export type MovePhase = (typeof MOVE_PHASES)[number];

/** A group on its way: the list it leaves and how far it is; the list it goes to is the group's own. */
export interface TableMove {
  group: number;
  phase: MovePhase;
  from: TableGroup;
}

/** Slots for the keys that no group lists. Slot s is group s: the first 4,096 groups of every table. */
export const SLOT_GROUPS = 4096;

/** All that a table says. */
export interface TableContent {
  cluster: string;
  epoch: number;
  members: readonly TableMember[];
  /** Groups by number; the first SLOT_GROUPS are the slots. */
  groups: readonly TableGroup[];
  /** Sorted by group. */
  moves: readonly TableMove[];
  rows: AccountRows;
}

/** Sorted account → group rows in the form in which the table holds them. */
export interface AccountRows {
  /** 14 bytes a row: the first 10 bytes of the pubkey, then the group as u32 little-endian; ascending. */
  prefixes: Uint8Array;
  /** 36 bytes a row: a whole pubkey whose prefix it shares with another listed key, then the group; ascending. */
  exceptions: Uint8Array;
}

export const PREFIX_BYTES = 10;
export const PREFIX_ROW_BYTES = 14;
export const KEY_BYTES = 32;
export const EXCEPTION_ROW_BYTES = 36;

export class InvalidTableError extends Error {
  override name = 'InvalidTableError';
}
