import { followerCounts, groupGraph } from '@covey/graph';
import type { TableMember } from '@covey/table';
import type { ComputedEpoch } from './compute-epoch.ts';

const COMMUNITIES_MAX = 200;
const EDGES_MAX = 2000;
const TOP_MAX = 10;

/** What admins see of an epoch. Never public: it says who is in which community. */
export interface EpochReport {
  communities: {
    id: number;
    accounts: number;
    /** Follows inside. */
    follows: number;
    /** Its most followed accounts, by position among the accounts of the epoch. */
    top: { account: number; followers: number }[];
    /** [member id, accounts that it masters], most first. */
    members: [string, number][];
  }[];
  /** [community, community, follows between], strongest first. */
  edges: [number, number, number][];
  members: {
    id: string;
    masters: number;
    copies: number;
    groups: number;
    /** Readers that open it, and what they read from it, against the mean for its capacity. */
    connections: number;
    reads: number;
  }[];
  figures: {
    /** Mean relays that a reader opens. */
    fanout: number;
    /** Readers looked at. */
    readers: number;
    /** The most loaded member against the mean. */
    connectionBalance: number;
    readBalance: number;
    modularity: number;
  };
}

/** The largest communities, the strongest ties between them, and what each member holds. Pure. */
export function reportEpoch(
  computed: Pick<ComputedEpoch, 'searched' | 'communities' | 'placement' | 'explainer' | 'modularity'>,
  members: readonly TableMember[],
): EpochReport {
  const { searched, communities, placement, explainer, modularity } = computed;
  const { graph, communityOf, accounts } = searched;
  const shown = Math.min(communities, COMMUNITIES_MAX);
  const between = groupGraph(graph, communityOf, communities, EDGES_MAX * 2);
  const followers = followerCounts(graph);
  const top: { account: number; followers: number }[][] = Array.from({ length: shown }, () => []);
  const masters = Array.from({ length: shown }, () => new Uint32Array(members.length));
  for (let node = 0; node < graph.nodes; node++) {
    const community = communityOf[node]!;
    if (community >= shown) continue;
    const account = accounts ? accounts[node]! : node;
    insertTop(top[community]!, { account, followers: followers[node]! });
    const group = placement.groups[placement.groupOf[account]!];
    if (group) masters[community]![group.members[0]!]!++;
  }
  const edges: [number, number, number][] = [];
  for (let i = 0; i < between.weights.length && edges.length < EDGES_MAX; i++)
    if (between.sources[i]! < shown && between.targets[i]! < shown)
      edges.push([between.sources[i]!, between.targets[i]!, between.weights[i]!]);
  return {
    communities: top.map((followed, id) => ({
      id,
      accounts: between.sizes[id]!,
      follows: between.inside[id]!,
      top: followed,
      members: [...masters[id]!]
        .map((count, member): [string, number] => [members[member]!.id, count])
        .filter(([, count]) => count > 0)
        .sort((a, b) => b[1] - a[1]),
    })),
    edges,
    members: reportMembers(computed, members),
    figures: {
      fanout: explainer.fanout,
      readers: explainer.readers.length,
      connectionBalance: Math.max(0, ...explainer.loads.map(({ connections }) => connections)),
      readBalance: Math.max(0, ...explainer.loads.map(({ reads }) => reads)),
      modularity,
    },
  };
}

/** Keeps `list` sorted by followers, most first, and short. */
function insertTop(
  list: { account: number; followers: number }[],
  entry: { account: number; followers: number },
): void {
  if (list.length === TOP_MAX && entry.followers <= list[TOP_MAX - 1]!.followers) return;
  let at = list.length;
  while (at > 0 && list[at - 1]!.followers < entry.followers) at--;
  list.splice(at, 0, entry);
  if (list.length > TOP_MAX) list.pop();
}

function reportMembers(
  { placement, explainer }: Pick<ComputedEpoch, 'placement' | 'explainer'>,
  members: readonly TableMember[],
): EpochReport['members'] {
  const report = members.map(({ id }, i) => ({
    id,
    masters: 0,
    copies: 0,
    groups: 0,
    ...explainer.loads[i]!,
  }));
  for (const group of placement.groups) {
    if (group.hashed) continue;
    group.members.forEach((member, position) => {
      report[member]!.groups++;
      report[member]!.copies += group.accounts;
      if (position === 0) report[member]!.masters += group.accounts;
    });
  }
  return report;
}
