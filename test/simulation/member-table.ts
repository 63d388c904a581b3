import { TableFollower, type TableStorage } from '@covey/nats';
import { encodeTable, PlacementTable } from '@covey/table';
import { Announcer } from '../../services/relay/src/announcer.ts';
import { CLUSTER_NAME, ROOT } from './keys.ts';
import type { SimMember } from './sim-member.ts';
import { httpBetween, SUBJECTS } from './sim-nats.ts';

const POLL_MS = 15_000;
const LOAD = { connections: 0, subscriptions: 0, bytes: 0, accepted: 0, sent: 0 };

/** A member's end of the table: the real follower and the real announcer, over the simulated network and disk. */
export class MemberTable {
  readonly #member: SimMember;
  readonly #follower: TableFollower;
  readonly #announcer: Announcer;

  constructor(member: SimMember) {
    this.#member = member;
    const { cluster, index, world, id, disk } = member;
    const link = cluster.nats.connect(index);
    const storage: TableStorage = {
      load: () => disk.table,
      loadRevocations: () => [],
      saveRevocations: () => {},
      save: (current) => {
        disk.table = current;
      },
    };
    this.#follower = new TableFollower({
      cluster: CLUSTER_NAME,
      roots: [ROOT],
      dir: storage,
      link,
      httpBases: () => cluster.ids.flatMap((_, i) => (i === index ? [] : [`https://m${i}.example`])),
      pollMs: POLL_MS,
      turn: index,
      get: httpBetween(cluster.calls, index, (host) => cluster.tableServerAt(host)),
      log: { info() {}, warn() {} },
      onRefused: (refusal) => this.#announcer.refused(refusal),
    });
    const follower = this.#follower;
    const clock = () => Math.floor(world.nowMs + cluster.clockErrorMs[index]!);
    this.#announcer = new Announcer({
      relay: {
        pubkey: id,
        get epoch() {
          return member.table?.epoch ?? 0;
        },
        load: () => ({ ...LOAD, events: disk.events.size, spooled: member.writes.spooled }),
        filling: () => member.filling.moving,
        verdicts: () => member.reportedVerdicts,
        mirrored: () => [],
      },
      link,
      cluster: CLUSTER_NAME,
      clock,
    });
    // In the order of Member: the relay's own listener first, so that what is acknowledged is in force.
    follower.onTable(({ table }) => member.apply(table));
    if (cluster.without.has('epochs rise') || cluster.without.has('delta base'))
      link.hear(SUBJECTS.manifest, (data) => this.#unguarded(JSON.parse(new TextDecoder().decode(data))));
    world.after(0, index, 'follow', () => {
      world.wakePromises();
      follower.start();
      this.#announcer.start();
      follower.onTable((applied) => this.#announcer.applied(applied));
    });
  }

  get current() {
    return this.#follower.current;
  }

  /** Another member, reached at this URL, says that it applies `epoch`. */
  told(epoch: number, member: number): void {
    if (epoch > (this.#member.table?.epoch ?? 0) + 1) this.#follower.lookAt(`wss://m${member}.example`);
  }

  /** What a follower would do that does not check: apply whatever comes, and any delta to whatever it has. */
  #unguarded(manifest: { tags: string[][] }): void {
    const { cluster, table } = this.#member;
    const epoch = Number(manifest.tags.find(([name]) => name === 'epoch')?.[1]);
    if (!table || epoch === table.epoch) return;
    if (epoch < table.epoch && cluster.without.has('epochs rise'))
      this.#member.apply(cluster.database.tables[epoch - 1]!);
    if (epoch > table.epoch + 1 && cluster.without.has('delta base'))
      this.#member.apply(patched(table, cluster.database.tables, epoch));
  }
}

/** What the delta to `epoch` changes, on another table than it was made from. */
function patched(table: PlacementTable, tables: readonly PlacementTable[], epoch: number): PlacementTable {
  const [before, after] = [tables[epoch - 2]!, tables[epoch - 1]!];
  const groups = table.content().groups.map((group, i) => {
    const [was, is] = [before.group(i), after.group(i)];
    return JSON.stringify(was) === JSON.stringify(is) ? group : is;
  });
  return new PlacementTable(encodeTable({ ...table.content(), epoch, groups, moves: after.moves() }));
}
