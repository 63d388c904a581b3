import type { EpochReport } from '../cluster-reader.ts';
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
    moved: { accounts: 37, byReason: { new: 12, gone: 3, pin: 7, 'member left': 0, 're-placed': 30 } },
    members: [],
    figures: { fanout: 2.41 },
    ms: { load: 210, detect: 640, place: 4200 },
  };
}
