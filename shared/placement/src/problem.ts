import type { FollowGraph } from '@covey/graph';

/** A relay that can be given accounts. Capacities are relative numbers: what counts is each one's share of the sum. */
export interface PlacementMember {
  id: string;
  /** the failure domain; the member itself where none is declared */
  operator?: string;
  capacity?: MemberCapacity;
  /** gets nothing, and gives up what it holds */
  draining?: boolean;
  /** accounts that its operator refuses */
  denied?: (account: number) => boolean;
}

export interface MemberCapacity {
  copies: number;
  connections: number;
  reads: number;
}

export type HubPolicy = 'adaptive' | 'together' | 'spread';
export type Effort = 'quick' | 'normal' | 'long';

export interface PlacementProblem {
  graph: FollowGraph;
  communityOf: Uint32Array;
  members: readonly PlacementMember[];
  /** write copies of each account: one master and copies − 1 replicas */
  copies: number;
  /** read copies beyond that, as a share of all write copies: 0.1 is 10 % */
  extraCopies: number;
  hubs: HubPolicy;
  /** account → indexes of the members it named, master first; quotas serve accounts in the order of the map */
  pins?: ReadonlyMap<number, readonly number[]>;
  /** warm start */
  previous?: PreviousPlacement;
  seed: number;
  /**
   * What each account counts as a reader: whole numbers from 0 (not a reader) to 65,535; 1 each by default. Fanout is the
   * weighted mean, and connections and reads are weighted.
   */
  readerWeights?: ArrayLike<number>;
  /**
   * 1 for accounts that the search places. The others do not read, count in nobody's share and stand where their slot
   * does; their groups are marked `hashed`. All are admitted by default.
   */
  admitted?: ArrayLike<number>;
  /** slot of each account; by the account's number by default. Read only for accounts that are not admitted */
  slots?: ArrayLike<number>;
  /** the most connections and reads a member may have, over the mean; by default 1.5 with read copies and 2 without */
  loadLimit?: number;
  /** the most different sets of copies, beside those of hubs and pins; by default 8,192 or an eighth of the accounts */
  setsMax?: number;
  /** how long to search; `normal` by default */
  effort?: Effort;
  /**
   * The search sees all readers while they make at most so many follows together (16 million by default), and past that
   * a sample that makes a quarter as many
   */
  searchFollowsMax?: number;
  /** accept accounts that too few members allow (they are reported) instead of throwing */
  allowShortfall?: boolean;
}

/** An earlier placement of the same accounts (newer accounts come after them). */
export interface PreviousPlacement {
  groupOf: Uint32Array;
  groups: readonly Pick<PlacedGroup, 'members' | 'copies'>[];
  /** ids behind its member indexes; those of the problem, in the same order, where left out */
  members?: readonly string[];
}

/** Accounts that share one ordered list of members. */
export interface PlacedGroup {
  /** indexes into the problem's members: master, replicas by seniority, then read copies */
  members: readonly number[];
  /** how many of them, from the front, take writes */
  copies: number;
  /** has read copies, or holds an account that hub policy placed */
  hub: boolean;
  pinned: boolean;
  /** its accounts were not admitted: they live in a slot, and no table lists them */
  hashed?: true;
  accounts: number;
}

export interface Placement {
  /** account → group; `noGroup` for an account that nobody may hold */
  groupOf: Uint32Array;
  groups: PlacedGroup[];
  /** wishes that could not be kept, in counts; empty when all were */
  shortfalls: Shortfall[];
}

export const noGroup = 0xffffffff;

export interface Shortfall {
  constraint: 'operators' | 'copies' | 'denied' | 'pins';
  /** accounts concerned */
  accounts: number;
  detail: string;
}

/** No placement keeps a hard constraint: which one, what it needs and what there is. */
export class InfeasiblePlacementError extends Error {
  override name = 'InfeasiblePlacementError';
  readonly constraint: string;
  readonly needed: number;
  readonly available: number;

  constructor(constraint: string, needed: number, available: number, message: string) {
    super(message);
    this.constraint = constraint;
    this.needed = needed;
    this.available = available;
  }
}

/** A problem that contradicts itself: sizes that do not match, numbers out of range. */
export class InvalidProblemError extends Error {
  override name = 'InvalidProblemError';
}

export const membersMax = 65535;
export const readerWeightMax = 65535;

/**
 * Checks a problem before any work.
 * @returns indexes of the members that may get accounts
 * @throws InvalidProblemError, InfeasiblePlacementError
 */
export function usableMembers(problem: PlacementProblem): number[] {
  const { graph, members, copies, extraCopies } = problem;
  if (!Number.isInteger(copies) || copies < 1)
    throw new InvalidProblemError(`copies is ${copies}, not 1 or more`);
  if (!(extraCopies >= 0) || !Number.isFinite(extraCopies)) {
    throw new InvalidProblemError(`extraCopies is ${extraCopies}, not 0 or more`);
  }
  if (problem.loadLimit !== undefined && !(problem.loadLimit > 1 && problem.loadLimit <= 100)) {
    throw new InvalidProblemError(`loadLimit is ${problem.loadLimit}, not above 1 and at most 100`);
  }
  if (members.length > membersMax) throw new InvalidProblemError(`more than ${membersMax} members`);
  if (problem.communityOf.length !== graph.nodes) {
    throw new InvalidProblemError(
      `communityOf has ${problem.communityOf.length} entries for ${graph.nodes} accounts`,
    );
  }
  requireNumbers('readerWeights', problem.readerWeights, graph.nodes, readerWeightMax);
  requireNumbers('admitted', problem.admitted, graph.nodes, 1);
  requireNumbers('slots', problem.slots, graph.nodes, 65535);
  const seen = new Set<string>();
  for (const member of members) {
    if (seen.has(member.id)) throw new InvalidProblemError(`two members have the id ${member.id}`);
    seen.add(member.id);
    for (const [name, value] of Object.entries(member.capacity ?? {})) {
      if (!(value >= 0) || !Number.isFinite(value)) {
        throw new InvalidProblemError(`member ${member.id} declares ${name} capacity ${value}`);
      }
    }
  }
  const usable: number[] = [];
  members.forEach((member, index) => {
    if (!member.draining && (member.capacity?.copies ?? 1) > 0) usable.push(index);
  });
  if (usable.length < copies) {
    const off = members.length - usable.length;
    throw new InfeasiblePlacementError(
      'members',
      copies,
      usable.length,
      `${copies} copies need ${copies} usable members and there are ${usable.length}` +
        (off > 0 ? ` (${off} more are draining or without capacity)` : '') +
        `: ${copies - usable.length} short. Add members or ask for fewer copies.`,
    );
  }
  return usable;
}

function requireNumbers(
  name: string,
  values: ArrayLike<number> | undefined,
  length: number,
  most: number,
): void {
  if (!values) return;
  if (values.length !== length) {
    throw new InvalidProblemError(`${name} has ${values.length} entries for ${length} accounts`);
  }
  for (let i = 0; i < length; i++) {
    if (Number.isInteger(values[i]) && values[i] >= 0 && values[i] <= most) continue;
    throw new InvalidProblemError(
      `${name} of account ${i} is ${values[i]}, not a whole number in 0..${most}`,
    );
  }
}
