import { parseArgs } from 'node:util';
import { seededUint32 } from '@covey/graph';
import {
  applyDelta,
  buildRows,
  diffTables,
  encodeTable,
  PlacementTable,
  SLOT_GROUPS,
  type TableMember,
} from '@covey/table';

/** Options: `--accounts N` (1,000,000), `--groups N` (10,000), `--moved SHARE` (0.01). Sizes in bytes, times in ms. */
export async function run(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: {
      accounts: { type: 'string', default: '1000000' },
      groups: { type: 'string', default: '10000' },
      moved: { type: 'string', default: '0.01' },
    },
  });
  const accounts = Number(values.accounts);
  const groupCount = Number(values.groups);
  const random = seededUint32('table bench');
  const members: TableMember[] = Array.from({ length: 64 }, (_, i) => ({
    id: i.toString(16).padStart(64, '0'),
    url: `wss://relay-${i}.example`,
    name: `relay ${i}`,
    operator: `operator ${i}`,
    capacity: { copies: 1, connections: 1, reads: 1 },
    state: 'active',
  }));
  const list = () => {
    const first = random() % 64;
    return { members: [first, (first + 7) % 64, (first + 21) % 64], copies: 3, hub: false, pinned: false };
  };
  const groups = Array.from({ length: SLOT_GROUPS + groupCount }, list);
  const keys = new Uint8Array(accounts * 32);
  const words = new Uint32Array(keys.buffer);
  for (let i = 0; i < words.length; i++) words[i] = random();
  const groupOf = Uint32Array.from({ length: accounts }, () => SLOT_GROUPS + (random() % groupCount));

  const ms: Record<string, number> = {};
  const timed = <T>(name: string, work: () => T): T => {
    const started = performance.now();
    const result = work();
    ms[name] = Math.round(performance.now() - started);
    return result;
  };
  const content = (epoch: number) => ({
    cluster: 'bench',
    epoch,
    members,
    groups,
    moves: [],
    rows: buildRows(keys, groupOf),
  });
  const bytes = timed('build', () => encodeTable(content(1)));
  global.gc?.();
  const before = process.memoryUsage();
  const table = timed('load', () => new PlacementTable(bytes));
  const after = process.memoryUsage();
  timed('root', () => table.root);
  for (let i = 0; i < accounts * Number(values.moved); i++)
    groupOf[random() % accounts] = SLOT_GROUPS + (random() % groupCount);
  const next = new PlacementTable(encodeTable(content(2)));
  const delta = timed('diff', () => diffTables(table, next));
  const applied = timed('apply', () => applyDelta(table, delta));
  if (applied.root !== next.root) throw new Error('the delta gives another table');

  const lookups = 2_000_000;
  const perSecond = (name: string, look: (key: Uint8Array) => unknown, count: number) => {
    const started = performance.now();
    for (let i = 0; i < count; i++) {
      const at = (random() % accounts) * 32;
      look(keys.subarray(at, at + 32));
    }
    ms[name] = Math.round(performance.now() - started);
    return Math.round((count / (performance.now() - started)) * 1000);
  };
  perSecond('warm-up', (key) => table.listedGroupOf(key), 200_000);
  console.log(
    JSON.stringify({
      accounts,
      groups: groupCount,
      tableBytes: bytes.length,
      bytesBesideRows: bytes.length - 14 * accounts,
      deltaBytes: delta.length,
      deltaMoved: Number(values.moved),
      groupLookupsPerSecond: perSecond('group look-ups', (key) => table.listedGroupOf(key), lookups),
      locatesPerSecond: perSecond('locates', (key) => table.locate(key), lookups / 4),
      loadedBytesBesideTable: after.heapUsed + after.external - before.heapUsed - before.external,
      ms,
    }),
  );
}
