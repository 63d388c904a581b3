import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { seededUint32 } from '@covey/graph';
import { connectNats, NatsLink, TableFollower, TablePublisher } from '@covey/nats';
import { publicKeyOf } from '@covey/nostr';
import { type Ack, readAck, subjectsOf } from '@covey/protocol';
import {
  buildRows,
  diffTables,
  encodeTable,
  PlacementTable,
  SLOT_GROUPS,
  signCertificate,
  signManifest,
  type TableMember,
} from '@covey/table';
import { startNats } from '../support/servers.ts';
import { waitFor } from '../support/wait-for.ts';

const CLUSTER = 'bench';
const ROOT_KEY = '01'.repeat(32);
const KEY = '02'.repeat(32);
const APPLIED_MS_MAX = 300_000;
const quiet = { info() {}, warn() {} };

/**
 * From publishing an epoch to the last member's acknowledgement: the real publisher and followers, each with a connection
 * and a folder of its own, on a real NATS server, all members in this one process. So the time grows with the members
 * by what they compute one after the other here, and at the same time when they run on machines of their own:
 * `cpuMsOfOneMember` is that part, in CPU time (publishing included). Options: `--members 10,50,200`, `--accounts N` (30,000), `--epochs N` (5).
 */
export async function run(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: {
      members: { type: 'string', default: '10,50,200' },
      accounts: { type: 'string', default: '30000' },
      epochs: { type: 'string', default: '5' },
    },
  });
  const results = [];
  for (const count of values.members.split(',').map(Number)) {
    process.stderr.write(`${count} members …\n`);
    results.push(await measure(count, Number(values.accounts), Number(values.epochs)));
  }
  console.log(JSON.stringify({ accounts: Number(values.accounts), moved: 0.01, results }));
}

async function measure(count: number, accounts: number, epochs: number) {
  const members = Array.from({ length: count }, (_, i): TableMember => {
    const id = publicKeyOf((i + 3).toString(16).padStart(64, '0'));
    return {
      id,
      url: `wss://relay-${i}.example`,
      name: `relay ${i}`,
      operator: `operator ${i}`,
      capacity: { copies: 1, connections: 1, reads: 1 },
      state: 'active',
    };
  });
  const nats = await startNats({ cluster: CLUSTER, members: members.map(({ id }) => id) });
  const dir = mkdtempSync(join(tmpdir(), 'covey-bench-publish-'));
  const connection = await connectNats({
    url: nats.url,
    user: 'coordinator',
    nkeyFile: nats.nkeyFile('coordinator'),
  });
  const links: NatsLink[] = [];
  const followers: TableFollower[] = [];
  try {
    const publisher = new TablePublisher(connection, CLUSTER);
    await publisher.prepare();
    const applied = new Map<string, number>();
    connection.subscribe(subjectsOf(CLUSTER).acks, {
      callback: (error, message) => {
        if (error) return;
        const { member, epoch } = readAck(message.data);
        applied.set(member, epoch);
      },
    });
    for (const { id } of members) {
      const link = new NatsLink({ url: nats.url, user: id, nkeyFile: nats.nkeyFile(id) });
      const follower = new TableFollower({
        cluster: CLUSTER,
        roots: [publicKeyOf(ROOT_KEY)],
        dir: join(dir, id),
        link,
        log: quiet,
      });
      follower.onTable(({ manifest: { epoch, root } }) => {
        const ack: Ack = { member: id, epoch, root, atMs: Date.now() };
        link.publish(subjectsOf(CLUSTER).ack(id), ack);
      });
      follower.start();
      links.push(link);
      followers.push(follower);
      // One after the other: all their handshakes are this one process's work.
      await waitFor(() => link.connection, 'a member to connect', APPLIED_MS_MAX);
    }
    const maker = new EpochMaker(members, accounts);
    const deltaMs: number[] = [];
    const cpuMs: number[] = [];
    let snapshotMs = 0;
    let bytes = { table: 0, delta: 0 };
    for (let epoch = 1; epoch <= epochs + 1; epoch++) {
      const publication = maker.next();
      bytes = { table: publication.snapshot.length, delta: publication.delta?.length ?? bytes.delta };
      const started = performance.now();
      const cpu = process.cpuUsage();
      await publisher.publish(publication);
      await waitFor(
        () => applied.size === count && [...applied.values()].every((at) => at === epoch),
        `epoch ${epoch} at all members`,
        APPLIED_MS_MAX,
      );
      const ms = Math.round(performance.now() - started);
      if (epoch === 1) snapshotMs = ms;
      else {
        deltaMs.push(ms);
        const { user, system } = process.cpuUsage(cpu);
        cpuMs.push((user + system) / 1000 / count);
      }
    }
    deltaMs.sort((a, b) => a - b);
    return {
      members: count,
      tableBytes: bytes.table,
      deltaBytes: bytes.delta,
      snapshotMs,
      deltaMs: { min: deltaMs[0], median: deltaMs[deltaMs.length >> 1], max: deltaMs.at(-1) },
      cpuMsOfOneMember: Math.round(Math.min(...cpuMs) * 10) / 10,
    };
  } finally {
    for (const follower of followers) await follower.stop();
    for (const link of links) await link.close();
    await connection.close();
    await nats.stop();
    rmSync(dir, { recursive: true, force: true });
  }
}

/** Epochs that each move one account in a hundred. */
class EpochMaker {
  readonly #members: readonly TableMember[];
  readonly #keys: Uint8Array;
  readonly #groupOf: Uint32Array;
  readonly #groups: { members: number[]; copies: number; hub: boolean; pinned: boolean }[];
  readonly #random = seededUint32('publish bench');
  #previous: PlacementTable | undefined;
  #previousId: string | null = null;

  constructor(members: readonly TableMember[], accounts: number) {
    this.#members = members;
    const n = members.length;
    const list = () => {
      const first = this.#random() % n;
      return {
        members: [first, (first + 1) % n, (first + 3) % n],
        copies: 3,
        hub: false,
        pinned: false,
      };
    };
    const groupCount = Math.max(64, Math.round(accounts / 100));
    this.#groups = Array.from({ length: SLOT_GROUPS + groupCount }, list);
    this.#keys = new Uint8Array(accounts * 32);
    const words = new Uint32Array(this.#keys.buffer);
    for (let i = 0; i < words.length; i++) words[i] = this.#random();
    this.#groupOf = Uint32Array.from({ length: accounts }, () => this.#group());
  }

  #group(): number {
    return SLOT_GROUPS + (this.#random() % (this.#groups.length - SLOT_GROUPS));
  }

  next() {
    const epoch = (this.#previous?.epoch ?? 0) + 1;
    if (this.#previous)
      for (let i = 0; i < this.#groupOf.length / 100; i++)
        this.#groupOf[this.#random() % this.#groupOf.length] = this.#group();
    const table = new PlacementTable(
      encodeTable({
        cluster: CLUSTER,
        epoch,
        members: this.#members,
        groups: this.#groups,
        moves: [],
        rows: buildRows(this.#keys, this.#groupOf),
      }),
    );
    const coordinator = publicKeyOf(KEY);
    const certificate = {
      cluster: CLUSTER,
      coordinator,
      root: publicKeyOf(ROOT_KEY),
      createdAt: 0,
      expiration: 4e9,
    };
    const manifest = signManifest(
      {
        cluster: CLUSTER,
        epoch,
        previous: this.#previousId,
        createdAt: epoch,
        root: table.root,
        tableBytes: table.bytes.length,
        inputs: '00'.repeat(32),
        movesUntil: 4e9,
        members: this.#members.map(({ id, url }) => ({ id, url })),
        counts: { accounts: table.accounts, follows: 0, communities: 0, groups: 0, moved: 0 },
      },
      coordinator,
      KEY,
      signCertificate(certificate, ROOT_KEY),
    );
    const delta = this.#previous && diffTables(this.#previous, table);
    this.#previous = table;
    this.#previousId = manifest.id;
    return { epoch, root: table.root, manifest, snapshot: table.bytes, delta };
  }
}
