import { buildGraph, detectCommunities, type FollowGraph, seededRng } from '@covey/graph';
import {
  type Effort,
  type Evaluation,
  evaluate,
  moved,
  type Placement,
  type PlacementMember,
  type PlacementProblem,
  place,
} from '@covey/placement';

/** What is asked of ours beside a cold placement on equal members. */
export const scenarios = ['placement', 'big', 'pins', 'churn', 'join', 'leave', 'limits', 'groups'] as const;
export type Scenario = (typeof scenarios)[number];

export interface Case {
  graph: FollowGraph;
  k: number;
  copies: number;
  extraCopies: number;
  effort: Effort;
}

export type Figures = Omit<Evaluation, 'accounts' | 'follows' | 'members' | 'reader'> & {
  /** the same readers by the reader's rule */
  priced: Pick<Evaluation, 'fanout' | 'connectionBalance' | 'readBalance'>;
};

export const equalMembers = (k: number): PlacementMember[] =>
  Array.from({ length: k }, (_, index) => ({ id: `member-${index + 1}` }));

/** What random placement gives on a graph and members: the same for all that is compared, so it is computed once. */
const randomOf = new WeakMap<FollowGraph, Map<string, Pick<Evaluation, 'hash'>['hash']>>();

/** Every figure of a placement, by the greedy reader, and by the reader's rule. */
export function figuresOf(
  graph: FollowGraph,
  placement: Pick<Placement, 'groupOf' | 'groups'>,
  members: readonly PlacementMember[],
): Figures {
  const known = randomOf.get(graph) ?? new Map();
  randomOf.set(graph, known);
  const key = JSON.stringify(members);
  const measured = evaluate(graph, placement, members, { hashSeeds: known.has(key) ? 0 : 5 });
  const hash = known.get(key) ?? measured.hash;
  known.set(key, hash);
  const { accounts, follows, members: count, reader, ...rest } = measured;
  const { fanout, connectionBalance, readBalance } = evaluate(graph, placement, members, {
    reader: 'priced',
    hashSeeds: 0,
  });
  return {
    ...rest,
    hash,
    fanoutOfHash: hash.fanout > 0 ? rest.fanout / hash.fanout : 0,
    priced: { fanout, connectionBalance, readBalance },
  };
}

export function problemOf({ graph, k, copies, extraCopies, effort }: Case): PlacementProblem {
  const { communityOf } = detectCommunities(graph, { engine: 'auto', seed: 1 });
  return {
    graph,
    communityOf,
    members: equalMembers(k),
    copies,
    extraCopies,
    hubs: 'adaptive',
    seed: 1,
    effort,
  };
}

interface Outcome {
  what: string;
  ms: number;
  /** of processor time: what other programs on the machine change least */
  cpuMs: number;
  groups: number;
  shortfalls: Placement['shortfalls'];
  /** share of accounts whose set of members changed, and its fair part */
  moved?: number;
  fairShare?: number;
  figures: Figures;
}

/** Runs one scenario. What is compared within it stands in one list, the reference first. */
export function runScenario(scenario: Scenario, one: Case): Outcome[] {
  const problem = problemOf(one);
  const { graph, k } = one;
  const placed = (
    what: string,
    change: Partial<PlacementProblem>,
    before?: Placement,
  ): [Outcome, Placement] => {
    const asked = { ...problem, ...change };
    const started = performance.now();
    const cpu = process.cpuUsage();
    const placement = place(asked);
    const ms = Math.round(performance.now() - started);
    const { user, system } = process.cpuUsage(cpu);
    const outcome: Outcome = {
      what,
      ms,
      cpuMs: Math.round((user + system) / 1000),
      groups: placement.groups.length,
      shortfalls: placement.shortfalls,
      figures: figuresOf(asked.graph, placement, asked.members),
    };
    if (before)
      outcome.moved = moved(
        { ...before, members: problem.members.map(({ id }) => id) },
        { ...placement, members: asked.members.map(({ id }) => id) },
      );
    return [outcome, placement];
  };
  const only = (what: string, change: Partial<PlacementProblem>): Outcome => placed(what, change)[0];
  if (scenario === 'placement') return [only('equal members', {})];
  if (scenario === 'big') {
    const four = { copies: 4, connections: 4, reads: 4 };
    const members = problem.members.map((member, i) =>
      i % 8 === 0 ? { ...member, capacity: four } : member,
    );
    return [only('an eighth of the members declare 4 × capacity', { members })];
  }
  if (scenario === 'limits')
    return [1.2, 1.35, 1.5, 2, 3, 5].map((loadLimit) => only(`limit ${loadLimit}`, { loadLimit }));
  if (scenario === 'groups')
    return [graph.nodes, 16000, 4000, 1000, 250].map((setsMax) =>
      only(`at most ${setsMax} sets`, { setsMax }),
    );
  if (scenario === 'pins') {
    return [0, 0.1, 0.3, 0.6].map((share) =>
      only(`${share * 100} % pinned to random members`, { pins: randomPins(graph.nodes, k, share) }),
    );
  }
  const [first, before] = placed('before', {});
  if (scenario === 'churn') {
    const changed = churned(graph, 0.01);
    const { communityOf } = detectCommunities(changed, { engine: 'auto', seed: 1 });
    const next = { graph: changed, communityOf };
    return [
      first,
      placed('1 % of follows replaced, warm', { ...next, previous: before }, before)[0],
      only('1 % of follows replaced, cold', next),
    ];
  }
  const ids = problem.members.map(({ id }) => id);
  const previous = { ...before, members: ids };
  const members = scenario === 'join' ? [...problem.members, { id: 'newcomer' }] : problem.members.slice(1);
  const [warm] = placed(
    scenario === 'join' ? 'one member joins' : 'one member leaves',
    { members, previous },
    before,
  );
  const fairShare = scenario === 'join' ? one.copies / (k + 1) : one.copies / k;
  return [first, { ...warm, fairShare }, only('cold on the same members', { members })];
}

/** A share of the accounts name one random member each. */
function randomPins(nodes: number, k: number, share: number): Map<number, number[]> {
  const rng = seededRng(`pins ${share}`);
  const pins = new Map<number, number[]>();
  for (let account = 0; account < nodes; account++)
    if (rng() < share) pins.set(account, [Math.floor(rng() * k)]);
  return pins;
}

/** A share of the follows ends; each follower follows somebody else instead, drawn by popularity. */
function churned(graph: FollowGraph, share: number): FollowGraph {
  const rng = seededRng('churn');
  const sources = new Uint32Array(graph.edges);
  const targets = graph.targets.slice();
  for (let account = 0; account < graph.nodes; account++)
    sources.fill(account, graph.offsets[account], graph.offsets[account + 1]);
  for (let i = 0; i < graph.edges; i++)
    if (rng() < share) targets[i] = graph.targets[Math.floor(rng() * graph.edges)]!;
  return buildGraph(graph.nodes, sources, targets);
}
