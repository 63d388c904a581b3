import type { AccountExplanation, EpochReport } from '../cluster-reader.ts';
import type { ClusterFixture } from './cluster-fixture.ts';

const NAMES = [
  'Ada',
  'Boole',
  'Curie',
  'Dirac',
  'Euler',
  'Fermi',
  'Gauss',
  'Hopper',
  'Ito',
  'Jacobi',
  'Kepler',
  'Lovelace',
];

/** A report as the coordinator writes it, over the accounts of a fixture: communities of falling size in two worlds. */
export function reportFixture({ table, pubkeys }: ClusterFixture, communities = 40): EpochReport {
  const edges: [number, number, number][] = [];
  for (let a = 0; a < communities; a++)
    for (let b = a + 1; b < communities; b++)
      if (a % 2 === b % 2 || (a + b) % 11 === 0) edges.push([a, b, a % 2 === b % 2 ? 400 - 4 * (a + b) : 5]);
  return {
    communities: Array.from({ length: communities }, (_, id) => {
      const accounts = Math.round(9000 / (id + 1));
      const name = `${NAMES[id % NAMES.length]}${id < NAMES.length ? '' : ` ${Math.floor(id / NAMES.length) + 1}`}`;
      const first = (id * 10) % pubkeys.length;
      return {
        id,
        accounts,
        follows: accounts * 6,
        label: name,
        top: pubkeys.slice(first, first + 10).map((pubkey, i) => ({
          pubkey,
          name: i === 0 ? name : i === 9 ? '' : `${name} follower ${i} <b>&amp;`,
          followers: 500 - 40 * i,
        })),
        members: table.members
          .slice(0, 3)
          .map((_, i): [string, number] => [
            table.members[(id + i) % table.members.length]!.id,
            Math.floor(accounts / (i + 2)),
          ]),
      };
    }),
    edges: edges.sort((a, b) => b[2] - a[2]),
    moved: {
      accounts: 37,
      byReason: { new: 12, gone: 3, pin: 7, 'member left': 0, readers: 21, balance: 9 },
      byMember: table.members.map((_, i) => ({ came: 10 + i, left: 12 - i })),
    },
    members: table.members.map(({ id }, i) => ({
      id,
      masters: 80,
      copies: 240,
      groups: 12,
      connections: 0.8 + i / 10,
      reads: 1.4 - i / 5,
    })),
    trust: { basis: 'seeds', seeds: 32, unknownSeeds: 1, readers: 310, placed: 390, pinsRefused: 4 },
    figures: { fanout: 2.41, readers: 300, connectionBalance: 1.2, readBalance: 1.4, modularity: 0.71 },
    ms: { load: 210, detect: 640, place: 4200 },
  };
}

/** Explanations of some of a fixture's accounts, as the coordinator stores them. */
export function explanationsFixture({ table, pubkeys }: ClusterFixture, accounts = 60): AccountExplanation[] {
  return pubkeys.slice(0, accounts).map((pubkey, i) => {
    const { members } = table.locate(pubkey);
    const others = table.members.map((_, member) => member).filter((member) => !members.includes(member));
    const to = others[0] ?? 0;
    return {
      pubkey,
      community: i % 40,
      followers: 900 - i,
      readers: 40,
      open: table.members.map((_, member) => ({ member, readers: 40 - 7 * member })),
      holders: members.map((member) => ({ member, readers: 40 - 7 * member, needed: 5 + member })),
      alternatives: [{ from: members[0]!, to, relays: i % 3 === 0 ? -2 : 6 }],
      ...(i === 3 && { pinned: [members[0]!, to] }),
    };
  });
}
