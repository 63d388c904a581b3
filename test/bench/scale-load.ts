import { detectCommunities, generateFollows } from '@covey/graph';
import { evaluate, place } from '@covey/placement';
import { ThreadTeam } from '@covey/threads';

/**
 * One size of `scale.ts`, in a process of its own so that its peak of memory is its own: generates a graph, detects,
 * places and measures, and prints a line of JSON. Arguments: accounts, follows, members, threads, effort, seed.
 */
const [accounts, follows, memberCount, threads, effort, seed] = process.argv.slice(2);

const idleBytes = process.memoryUsage.rss();
const ms: Record<string, number> = {};
const cpuMs: Record<string, number> = {};
const peakBytes: Record<string, number> = {};
async function timed<T>(phase: string, work: () => T | Promise<T>): Promise<T> {
  const started = performance.now();
  const cpu = process.cpuUsage();
  const result = await work();
  const used = process.cpuUsage(cpu);
  ms[phase] = Math.round(performance.now() - started);
  cpuMs[phase] = Math.round((used.user + used.system) / 1000);
  peakBytes[phase] = process.resourceUsage().maxRSS * 1024;
  process.stderr.write(
    `  ${phase}: ${ms[phase]} ms, ${cpuMs[phase]} ms of CPU, peak ${Math.round(peakBytes[phase] / 1e6)} MB\n`,
  );
  return result;
}

const { graph } = await timed('generate', () =>
  generateFollows({ accounts: Number(accounts), follows: Number(follows), seed: Number(seed), shared: true }),
);
const found = await timed('detect', async () => {
  const team = await ThreadTeam.start(Number(threads));
  try {
    return detectCommunities(graph, { engine: 'leiden', seed: 1, team });
  } finally {
    await team.close();
  }
});
const members = Array.from({ length: Number(memberCount) }, (_, i) => ({ id: `member-${i + 1}` }));
const placement = await timed('place', () =>
  place({
    graph,
    communityOf: found.communityOf,
    members,
    copies: 3,
    extraCopies: 0.1,
    hubs: 'adaptive',
    seed: 1,
    effort: effort as 'quick' | 'normal' | 'long',
  }),
);
const peak = process.resourceUsage().maxRSS * 1024;
const figures = await timed('evaluate', () =>
  evaluate(graph, placement, members, { sample: 10_000, hashSeeds: 1 }),
);
console.log(
  JSON.stringify({
    accounts: graph.nodes,
    follows: graph.edges,
    communities: found.count,
    modularity: found.modularity,
    groups: placement.groups.length,
    ms,
    cpuMs,
    peakBytes,
    idleBytes,
    /** of detection and placement, above an idle process */
    bytesAFollow: (peak - idleBytes) / graph.edges,
    fanout: figures.fanout,
    fanoutOfHash: figures.fanoutOfHash,
    copiesPerUser: figures.copiesPerUser,
    copiesBalance: figures.copiesBalance,
    connectionBalance: figures.connectionBalance,
    readBalance: figures.readBalance,
    masterBalance: figures.masterBalance,
  }),
);
