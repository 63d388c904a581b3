import { setTimeout as delay } from 'node:timers/promises';
import { type ArrivingList, storeLists } from '@covey/postgres';
import type { Signer } from '../../conformance/signer.ts';
import { waitFor } from '../../support/wait-for.ts';
import type { ChaosCluster } from './chaos-cluster.ts';

/** What a fault may draw on. */
export interface FaultContext {
  cluster: ChaosCluster;
  authors: readonly Signer[];
  /** From 0 up to, not including, 1. */
  random: () => number;
  /** Says which member is about to die, for those who time its replacement. */
  dies: (member: number) => void;
}

/** One way of hurting the cluster, undone before it returns. @returns what was done, for the report. */
export interface Fault {
  name: string;
  run: (context: FaultContext) => Promise<string>;
}

const pick = (random: () => number, count: number) => Math.floor(random() * count);
const HURT_MS = 4_000;

export const FAULTS: readonly Fault[] = [
  {
    name: 'member killed',
    run: async ({ cluster, random, dies }) => {
      const i = pick(random, cluster.members.length);
      dies(i);
      await cluster.members[i]!.process.kill();
      await delay(HURT_MS * (2 + random()));
      await cluster.members[i]!.process.start();
      return `member ${i + 1}`;
    },
  },
  {
    name: 'member killed, disk lost',
    run: async ({ cluster, random, dies }) => {
      const i = pick(random, cluster.members.length);
      dies(i);
      await cluster.members[i]!.process.kill();
      cluster.wipe(i);
      await delay(HURT_MS * (1 + random()));
      await cluster.members[i]!.process.start();
      return `member ${i + 1}`;
    },
  },
  {
    name: 'member paused',
    run: async ({ cluster, random }) => {
      const i = pick(random, cluster.members.length);
      cluster.members[i]!.process.pause();
      await delay(HURT_MS * (0.5 + 3 * random()));
      cluster.members[i]!.process.resume();
      return `member ${i + 1}`;
    },
  },
  {
    name: 'member cut off',
    run: async ({ cluster, random }) => {
      const i = pick(random, cluster.members.length);
      cluster.members[i]!.proxy.cut();
      await delay(HURT_MS * (0.5 + 3 * random()));
      cluster.members[i]!.proxy.mend();
      return `member ${i + 1}`;
    },
  },
  {
    name: 'connections reset',
    run: async ({ cluster }) => {
      for (const { proxy } of cluster.members) {
        proxy.cut();
        proxy.mend();
      }
      return 'of every member';
    },
  },
  {
    name: 'leader killed in an epoch',
    run: async ({ cluster, authors, random }) => {
      await follow(cluster, authors, random);
      await cluster.requestPlacement();
      await delay(300 * random());
      const i = Math.max(0, await cluster.leader());
      await cluster.coordinators[i]!.process.kill();
      await delay(HURT_MS * random());
      await cluster.coordinators[i]!.process.start();
      return `coordinator ${i + 1}`;
    },
  },
  {
    name: 'leader paused past its lease',
    run: async ({ cluster, authors, random }) => {
      await follow(cluster, authors, random);
      await cluster.requestPlacement();
      const i = Math.max(0, await cluster.leader());
      cluster.coordinators[i]!.process.pause();
      await waitFor(
        async () => {
          const leader = await cluster.leader();
          return leader >= 0 && leader !== i;
        },
        'another coordinator to lead',
        60_000,
      );
      cluster.coordinators[i]!.process.resume();
      return `coordinator ${i + 1}`;
    },
  },
  {
    name: 'epoch with moves',
    run: async ({ cluster, authors, random }) => {
      await follow(cluster, authors, random);
      const before = await cluster.epoch();
      await cluster.requestPlacement();
      await waitFor(async () => (await cluster.epoch()) > before, 'the next epoch', 60_000);
      return `epoch ${await cluster.epoch()}`;
    },
  },
  {
    name: 'one NATS server killed',
    run: async ({ cluster, random }) => {
      const i = pick(random, cluster.nats.length);
      await cluster.nats[i]!.kill();
      await delay(HURT_MS * random());
      await cluster.nats[i]!.start();
      return `server ${i + 1}`;
    },
  },
  {
    name: 'all NATS servers killed',
    run: async ({ cluster, random }) => {
      await Promise.all(cluster.nats.map((one) => one.kill()));
      await delay(HURT_MS * (1 + random()));
      await Promise.all(cluster.nats.map((one) => one.start()));
      return `${cluster.nats.length} servers`;
    },
  },
  {
    name: 'NATS streams wiped',
    run: async ({ cluster }) => {
      await cluster.wipeStreams();
      return 'all of them';
    },
  },
  {
    name: 'PostgreSQL killed',
    run: async ({ cluster, random }) => {
      await cluster.postgres.kill('SIGQUIT');
      await delay(HURT_MS * random());
      await cluster.startPostgres();
      return 'as a crash leaves it';
    },
  },
  {
    name: 'everything restarted',
    run: async ({ cluster }) => {
      const services = [...cluster.members, ...cluster.coordinators].map(({ process: one }) => one);
      await Promise.all([...services, ...cluster.nats].map((one) => one.kill()));
      await cluster.postgres.kill('SIGQUIT');
      await cluster.startPostgres();
      await Promise.all(cluster.nats.map((one) => one.start()));
      await Promise.all(services.map((one) => one.start()));
      return `${services.length + cluster.nats.length + 1} processes`;
    },
  },
];

let version = 1_700_000_000;

/** New follow lists for all, in other communities than before: a placement that follows moves many of them. */
export async function follow(
  cluster: ChaosCluster,
  authors: readonly Signer[],
  random: () => number,
): Promise<void> {
  version++;
  const communities = 4;
  const side = authors.map(() => pick(random, communities));
  const lists: ArrivingList[] = authors.map(({ pubkey }, i) => {
    const friends = authors.filter((_, n) => n !== i && (side[n] === side[i] || random() < 0.05));
    return {
      type: 'follows',
      pubkey: Buffer.from(pubkey, 'hex'),
      createdAt: version,
      id: Buffer.from(`${version}`.padStart(32, '0')).toString('hex'),
      signed: true,
      source: 'chaos',
      followees: Buffer.concat(friends.map((friend) => Buffer.from(friend.pubkey, 'hex'))),
    };
  });
  await storeLists(cluster.sql, lists);
}
