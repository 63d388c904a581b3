import { createHash } from 'node:crypto';
import type { CurrentTable } from '@covey/nats';
import { type NostrEvent, publicKeyOf } from '@covey/nostr';
import { placeSlots } from '@covey/placement';
import {
  buildRows,
  encodeTable,
  type Manifest,
  PlacementTable,
  signCertificate,
  signManifest,
  type TableGroup,
  type TableMember,
  type TableMove,
  verifyManifest,
} from '@covey/table';
import type { TableSource } from '../table-source.ts';

/** A cluster for tests: five members, accounts in groups, signed as a coordinator would. The same numbers give the same bytes. */
export interface ClusterFixture extends CurrentTable {
  root: string;
  pubkeys: string[];
}

export interface FixtureOptions {
  epoch?: number;
  accounts?: number;
  /** Accounts of one group. */
  groupAccounts?: number;
  members?: number;
  cluster?: string;
  /** Makes the first account's group a hub with a read copy. */
  hub?: boolean;
  moves?: { group: number; phase: TableMove['phase']; from: number[] }[];
  previous?: NostrEvent;
}

const ROOT_SECRET = '01'.repeat(32);
const COORDINATOR_SECRET = '02'.repeat(32);
const CREATED_AT = 1_790_000_000;
const SLOTS = 4096;

export const fixturePubkey = (i: number): string => createHash('sha256').update(`account ${i}`).digest('hex');

export function fixtureMembers(count: number): TableMember[] {
  const names = ['Alder', 'Birch', 'Cedar', 'Dogwood', 'Elm', 'Fir', 'Gorse', 'Hazel'];
  return Array.from({ length: count }, (_, i) => ({
    id: publicKeyOf(createHash('sha256').update(`member ${i}`).digest('hex')),
    url: `ws://127.0.0.1:${4601 + i}`,
    name: names[i % names.length]!,
    operator: `operator ${i + 1}`,
    capacity: { copies: 1000, connections: 1000, reads: 1000 },
    state: 'active',
  }));
}

/** Group g (after the slots) lives on members g, g+1, g+2; its accounts are g·groupAccounts and those after it. */
export function clusterFixture(options: FixtureOptions = {}): ClusterFixture {
  const {
    epoch = 1,
    accounts = 400,
    groupAccounts = 20,
    cluster = 'local',
    hub = false,
    moves = [],
  } = options;
  const members = fixtureMembers(options.members ?? 5);
  const pubkeys = Array.from({ length: accounts }, (_, i) => fixturePubkey(i));
  const groups = Math.ceil(accounts / groupAccounts);
  const list = (first: number, copies: number) =>
    Array.from({ length: copies }, (_, i) => (first + i) % members.length);
  const copies = Math.min(3, members.length);
  const table = new PlacementTable(
    encodeTable({
      cluster,
      epoch,
      members,
      groups: [
        ...placeSlots(
          members.map(({ id, operator, capacity }) => ({ id, operator, capacity })),
          copies,
        ),
        ...Array.from({ length: groups }, (_, g): TableGroup => {
          const isHub = hub && g === 0 && members.length > 3;
          return { members: list(g, isHub ? 4 : copies), copies, hub: isHub, pinned: false };
        }),
      ],
      moves: moves.map(({ group, phase, from }) => ({
        group: SLOTS + group,
        phase,
        from: { members: from, copies: from.length, hub: false, pinned: false },
      })),
      rows: buildRows(
        Buffer.from(pubkeys.join(''), 'hex'),
        Uint32Array.from(pubkeys, (_, i) => SLOTS + Math.floor(i / groupAccounts)),
      ),
    }),
  );
  const root = publicKeyOf(ROOT_SECRET);
  const coordinator = publicKeyOf(COORDINATOR_SECRET);
  const certificate = signCertificate(
    { cluster, coordinator, root, createdAt: CREATED_AT, expiration: CREATED_AT + 365 * 86_400 },
    ROOT_SECRET,
  );
  const content: Manifest = {
    cluster,
    epoch,
    previous: options.previous?.id ?? null,
    createdAt: CREATED_AT + epoch,
    root: table.root,
    tableBytes: table.bytes.length,
    inputs: '0'.repeat(64),
    target: null,
    movesUntil: CREATED_AT + epoch + 86_400,
    members: members.map(({ id, url }) => ({ id, url })),
    counts: { accounts, follows: accounts * 7, communities: 12, groups, moved: epoch === 1 ? 0 : 3 },
  };
  const event = signManifest(content, coordinator, COORDINATOR_SECRET, certificate);
  return { table, event, manifest: verifyManifest(event, [root], cluster), root, pubkeys };
}

/** A source whose epoch tests set. */
export class MemoryTableSource implements TableSource {
  current: CurrentTable | undefined;
  readonly #listeners = new Set<(current: CurrentTable) => void>();

  constructor(current?: CurrentTable) {
    this.current = current;
  }

  onTable(listener: (current: CurrentTable) => void): () => void {
    this.#listeners.add(listener);
    if (this.current) listener(this.current);
    return () => this.#listeners.delete(listener);
  }

  set(next: CurrentTable): void {
    this.current = next;
    for (const listener of this.#listeners) listener(next);
  }
}
