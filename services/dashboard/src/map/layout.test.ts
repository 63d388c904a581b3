import assert from 'node:assert/strict';
import { test } from 'node:test';
import { layOut } from './layout.ts';

const nodes = Array.from({ length: 60 }, (_, id) => ({
  id,
  label: `c${id}`,
  accounts: 600 - id * 10,
  member: 'm',
}));
/** Two worlds that hardly know each other: even and odd communities. */
const edges: [number, number, number][] = [];
for (let a = 0; a < 60; a++)
  for (let b = a + 1; b < 60; b++) if ((a + b) % 2 === 0) edges.push([a, b, 100 - Math.abs(a - b)]);
edges.push([0, 1, 1]);

test('the same graph gives the same picture', () => {
  const positions = () => layOut({ nodes, edges }).mapNodes((_, { x, y }) => [x, y]);
  assert.deepEqual(positions(), positions());
});

test('every community has a finite place, larger ones are larger, and none covers another', () => {
  const graph = layOut({ nodes, edges });
  assert.equal(graph.order, 60);
  graph.forEachNode((_, { x, y }) => assert.ok(Number.isFinite(x) && Number.isFinite(y)));
  const all = graph.mapNodes((_, node) => node);
  for (const [i, a] of all.entries())
    for (const b of all.slice(i + 1))
      assert.ok(Math.hypot(a.x - b.x, a.y - b.y) > a.size + b.size - 1, `${a.label} ${b.label}`);
  assert.ok(graph.getNodeAttribute(0, 'size') > graph.getNodeAttribute(59, 'size'));
});

test('communities that follow each other stand together', () => {
  const graph = layOut({ nodes, edges });
  const centre = (parity: number) => {
    const own = nodes.filter(({ id }) => id % 2 === parity).map(({ id }) => graph.getNodeAttributes(id));
    return [
      own.reduce((s, { x }) => s + x, 0) / own.length,
      own.reduce((s, { y }) => s + y, 0) / own.length,
    ] as const;
  };
  const [even, odd] = [centre(0), centre(1)];
  const apart = Math.hypot(even[0] - odd[0], even[1] - odd[1]);
  const within = nodes
    .filter(({ id }) => id % 2 === 0)
    .map(({ id }) => {
      const { x, y } = graph.getNodeAttributes(id);
      return Math.hypot(x - even[0], y - even[1]);
    });
  const spread = within.reduce((s, d) => s + d, 0) / within.length;
  assert.ok(apart > spread, `${apart} apart, ${spread} wide`);
});

test('few ties a community are drawn, and odd input is no trouble', () => {
  const graph = layOut({ nodes, edges });
  assert.ok(graph.size <= 60 * 4);
  assert.equal(layOut({ nodes: [], edges: [] }).order, 0);
  assert.equal(
    layOut({
      nodes: nodes.slice(0, 1),
      edges: [
        [0, 0, 5],
        [0, 9, 5],
      ],
    }).size,
    0,
  );
});
