/** What the dashboard reads of the api's answers (services/api/src/schemas.ts is the definition). */

export interface Load {
  connections: number;
  subscriptions: number;
  events: number;
  bytes: number;
  writesPerSecond: number;
  readsPerSecond: number;
  spooled: number;
}

export interface Member {
  id: string;
  url: string;
  name: string;
  operator: string;
  placement: 'active' | 'draining';
  state: 'up' | 'late' | 'down' | 'unknown';
  standing: 'alive' | 'returning' | 'suspect' | 'dead' | 'absent' | null;
  appliedEpoch: number | null;
  refused: { epoch: number; reason: string } | null;
  silentMs: number | null;
  load: Load | null;
  capacity: { copies: number; connections: number; reads: number };
  masters: number;
  replicas: number;
  readCopies: number;
  /** Moving groups that it gets, that leave it, and that it is filling (null: it did not say). */
  incoming: number;
  outgoing: number;
  filling: number | null;
  groups: number;
  slots: number;
}

export interface Status {
  ready: boolean;
  cluster: string;
  epoch: number;
  createdAt: string | null;
  accounts: number;
  follows: number;
  communities: number;
  groups: number;
  moved: number;
  moves: number;
  movesByPhase: Record<string, number>;
  nats: 'connected' | 'away' | 'unset';
  admin: boolean;
  members: Member[];
}

export interface Epochs {
  epochs: { epoch: number; createdAt: string; accounts: number; groups: number; moved: number }[];
  partial?: string;
}

export interface EpochDetail {
  epoch: number;
  moved: { accounts: number; byReason: Record<string, number> };
  members: { id: string; came: number; left: number; connections: number; reads: number }[];
  trust: { basis: 'seeds' | 'equal'; seeds: number; readers: number; placed: number } | null;
  figures: Record<string, number>;
  ms: Record<string, number>;
}

export interface Probe {
  at: string;
  outcome: 'ok' | 'unreachable' | 'astray';
  detail: string;
  /** From sending an event to its OK. */
  ms?: number;
}

export interface AuthorityMember {
  id: string;
  url: string;
  name: string;
  operator: string;
  /** requested, active, draining, suspended, left, refused */
  state: string;
  reason: string;
  leaving: boolean;
  changedAt: string;
  declared: Member['capacity'];
  capacity: Member['capacity'];
  /** Newest first. */
  probes: Probe[];
}

export interface LoggedOrder {
  at: string;
  actor: string;
  action: string;
  subject?: string;
  detail: object;
}

/** Who is in and who ordered what; for admins. */
export interface Authority {
  members: AuthorityMember[];
  coordinators: { name: string; pubkey: string; seenAt: string; leads: boolean }[];
  paused: { at: string; reason: string } | null;
  log: LoggedOrder[];
}

export interface Community {
  id: number;
  label: string;
  accounts: number;
  follows: number;
  members: [string, number][];
}

export interface CommunityDetail extends Community {
  top: { pubkey: string; npub: string; name: string; followers: number }[];
}

export interface CommunityGraph {
  nodes: { id: number; label: string; accounts: number; member: string }[];
  edges: [number, number, number][];
}

export interface RelayRef {
  id: string;
  url: string;
}

export interface Placement {
  pubkey: string;
  epoch: number;
  source: 'table' | 'slot' | 'pin';
  group: number;
  hub: boolean;
  master: RelayRef;
  replicas: RelayRef[];
  readCopies: RelayRef[];
  move?: { phase: string };
}

/** Why an account lives where it does; for admins. */
export interface AccountDetail {
  epoch: number;
  why: string[];
  readers: number;
  open: { id: string; readers: number; holds: boolean }[];
  alternatives: {
    from: { id: string };
    to: { id: string };
    relays: number;
    connections: number;
    reads: number;
  }[];
}

export interface Plan {
  epoch: number;
  relays: (RelayRef & { pubkeys: number[] })[];
  uncovered: number[];
  pubkeys?: string[];
}

/** The api answered with a problem document; `message` is its detail, written for people. */
export class ApiProblem extends Error {
  override name = 'ApiProblem';
  readonly status: number;

  constructor(status: number, detail: string) {
    super(detail);
    this.status = status;
  }
}

const ANSWER_MS_MAX = 8_000;

/** @throws ApiProblem for an answer that is one; TypeError or DOMException when there is no answer. */
export async function ask<T>(path: string, body?: unknown): Promise<T> {
  const response = await fetch(path, {
    signal: AbortSignal.timeout(ANSWER_MS_MAX),
    ...(body === undefined
      ? {}
      : { method: 'POST', body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
  });
  const answer = await response.json().catch(() => undefined);
  if (response.ok && answer !== undefined) return answer as T;
  const detail = (answer as { detail?: string } | undefined)?.detail;
  throw new ApiProblem(response.status, detail ?? `The API answered with HTTP ${response.status}.`);
}

/** What to tell a person about a failed question. */
export function explain(error: unknown): string {
  if (error instanceof ApiProblem) return error.message;
  return 'The API did not answer. Is the cluster running? Try again in a moment.';
}
