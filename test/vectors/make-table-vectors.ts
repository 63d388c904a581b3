/**
 * Writes table.json: `node test/vectors/make-table-vectors.ts > test/vectors/table.json`. Run it only when the format
 * changes on purpose (a new format version); shared/table/src/vectors.test.ts holds the code to the file.
 */
import { createHash } from 'node:crypto';
import { placeSlots, slotOf } from '@covey/placement';
import { publicKeyOf } from '@covey/nostr';
import { buildRows, diffTables, encodeTable, PlacementTable, proveKey, provePage, SLOT_GROUPS, signCertificate, signCosignature, signManifest, signRevocation, type TableMember } from '@covey/table';

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');
const keyOf = (name: string) => createHash('sha256').update(name).digest();
const secretOf = (name: string) => hex(keyOf(`secret of ${name}`));

const members: TableMember[] = ['ann', 'bob', 'cid', 'dot'].map((name, i) => ({
  id: publicKeyOf(secretOf(name)),
  url: `wss://${name}.example`,
  name,
  operator: name,
  capacity: { copies: i + 1, connections: 1, reads: 1 },
  state: name === 'dot' ? 'draining' : 'active',
}));
const listed = ['one', 'two', 'three', 'four'].map(keyOf);
const twins = [0, 1].map((i) => Buffer.concat([Buffer.alloc(10, 7), Buffer.alloc(22, i)]));
const keys = new Uint8Array(Buffer.concat([...listed, ...twins]));
const slots = placeSlots(members.map(({ id, operator, capacity, state }) => ({ id, operator, capacity, draining: state === 'draining' })), 3).map(
  ({ members: list, copies, hub, pinned }) => ({ members: list, copies, hub, pinned }),
);
const tableOf = (epoch: number, groupOf: number[]) =>
  new PlacementTable(
    encodeTable({
      cluster: 'vectors',
      epoch,
      members,
      groups: [
        ...slots,
        { members: [0, 1, 2], copies: 3, hub: false, pinned: false },
        { members: [2, 0, 1, 3], copies: 3, hub: true, pinned: false },
        { members: [1, 2, 0], copies: 3, hub: false, pinned: true },
      ],
      moves: epoch === 2 ? [{ group: SLOT_GROUPS, phase: 'copy', from: { members: [3, 1, 2], copies: 3, hub: false, pinned: false } }] : [],
      rows: buildRows(keys, Uint32Array.from(groupOf, (group) => SLOT_GROUPS + group)),
    }),
  );
const first = tableOf(1, [0, 1, 2, 0, 1, 2]);
const second = tableOf(2, [0, 1, 2, 2, 1, 2]);
const rootKey = secretOf('root');
const coordinatorKey = secretOf('coordinator');
const root = publicKeyOf(rootKey);
const coordinator = publicKeyOf(coordinatorKey);
const certificate = signCertificate({ cluster: 'vectors', coordinator, root, createdAt: 1_700_000_000, expiration: 2_000_000_000 }, rootKey);
const manifest = {
  cluster: 'vectors',
  epoch: 1,
  previous: null,
  createdAt: 1_750_000_000,
  root: first.root,
  tableBytes: first.bytes.length,
  inputs: 'ab'.repeat(32),
  movesUntil: 1_750_086_400,
  members,
  counts: { accounts: 6, follows: 9, communities: 2, groups: 3, moved: 0 },
};
const look = (key: Uint8Array) => {
  const { source, group, members: list, copies, hub, pinned } = first.locate(key);
  return { key: hex(key), source, group, members: list, copies, hub, pinned };
};
/** Of the second table, in which a group moves. The bytes of a page are those of the table there. */
const proofOf = (key: Uint8Array) => {
  const { at, pages } = proveKey(second.bytes, key, slotOf(key));
  return { key: hex(key), at, pages: pages.map(({ index, path }) => ({ index, path })) };
};
const otherKey = secretOf('other coordinator');
const other = publicKeyOf(otherKey);
const otherCertificate = signCertificate({ cluster: 'vectors', coordinator: other, root, createdAt: 1_700_000_000, expiration: 2_000_000_000 }, rootKey);
console.log(
  JSON.stringify(
    {
      about: 'Vectors for shared/table/README.md. Members are indexes; tables and delta are base64.',
      secretKeys: { root: rootKey, coordinator: coordinatorKey },
      trustedRoot: root,
      manifest: signManifest(manifest, coordinator, coordinatorKey, certificate),
      table: Buffer.from(first.bytes).toString('base64'),
      root: first.root,
      lookups: [...listed, ...twins, ...['five', 'six', 'seven'].map(keyOf)].map(look),
      page: { index: 3, path: provePage(first.bytes, 3) },
      delta: Buffer.from(diffTables(first, second)).toString('base64'),
      rootAfterDelta: second.root,
      proofsAfterDelta: [...listed.slice(0, 2), twins[0]!, keyOf('five')].map(proofOf),
      revocation: signRevocation({ cluster: 'vectors', coordinator, lastEpoch: 1, createdAt: 1_760_000_000 }, root, rootKey, 'stolen'),
      cosignature: signCosignature({ cluster: 'vectors', epoch: 1, root: first.root, inputs: manifest.inputs, createdAt: 1_750_000_000 }, other, otherKey, otherCertificate),
    },
    null,
    1,
  ),
);
