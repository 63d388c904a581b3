import Graph from 'graphology';
import forceAtlas2 from 'graphology-layout-forceatlas2';
import type { CommunityGraph } from '../api.ts';

/** Strongest ties that are drawn for a community; more would be a ball of wool. */
const TIES_DRAWN = 4;
/** First shape, then room: were sizes to repel from the start, ties would not pull. */
const SHAPE_ITERATIONS = 500;
const ROOM_ROUNDS = 60;
const RADIUS_MIN = 3.5;
/** Of the largest community; with few communities there is room for larger ones. */
const RADIUS_MAX = { few: 40, many: 24 };
const FEW = 30;

export interface PlacedNode {
  x: number;
  y: number;
  /** Radius in the measure of x and y. */
  size: number;
  label: string;
  accounts: number;
  member: string;
  /** 0 for the largest community. */
  rank: number;
}

export type CommunityLayout = Graph<PlacedNode, { weight: number; strength: number }>;

/**
 * Communities laid out by ForceAtlas2 (Jacomy et al. 2014) from positions on a spiral, largest in the middle: the same
 * graph gives the same picture. A tie counts relative to the size of both ends, so that large communities do not draw
 * everyone in.
 */
export function layOut({ nodes, edges }: CommunityGraph): CommunityLayout {
  const graph: CommunityLayout = new Graph({ type: 'undirected', multi: false });
  const largest = Math.max(1, ...nodes.map(({ accounts }) => accounts));
  const radiusMax = nodes.length <= FEW ? RADIUS_MAX.few : RADIUS_MAX.many;
  const sorted = [...nodes].sort((a, b) => b.accounts - a.accounts || a.id - b.id);
  sorted.forEach(({ id, label, accounts, member }, rank) => {
    const angle = rank * Math.PI * (3 - Math.sqrt(5));
    const radius = 10 * Math.sqrt(rank + 0.5);
    graph.addNode(id, {
      x: radius * Math.cos(angle),
      y: radius * Math.sin(angle),
      size: RADIUS_MIN + (radiusMax - RADIUS_MIN) * Math.sqrt(accounts / largest),
      label,
      accounts,
      member,
      rank,
    });
  });
  const sizes = new Map(nodes.map(({ id, accounts }) => [id, accounts]));
  const ties = edges
    .filter(([a, b]) => a !== b && graph.hasNode(a) && graph.hasNode(b))
    .map(([a, b, weight]) => ({ a, b, weight, strength: weight / Math.sqrt(sizes.get(a)! * sizes.get(b)!) }))
    .sort((x, y) => y.strength - x.strength);
  const drawn = new Map<number, number>();
  const strongest = ties[0]?.strength ?? 1;
  for (const { a, b, weight, strength } of ties) {
    if (graph.hasEdge(a, b)) continue;
    const [of, to] = [drawn.get(a) ?? 0, drawn.get(b) ?? 0];
    if (of >= TIES_DRAWN && to >= TIES_DRAWN) continue;
    drawn.set(a, of + 1);
    drawn.set(b, to + 1);
    graph.addEdge(a, b, { weight: Math.sqrt(strength / strongest), strength: weight });
  }
  if (graph.order > 1) {
    const shape = { linLogMode: true, gravity: 1, scalingRatio: 1, slowDown: 2, edgeWeightInfluence: 1 };
    forceAtlas2.assign(graph, { iterations: SHAPE_ITERATIONS, getEdgeWeight: 'weight', settings: shape });
    makeRoom(graph);
  }
  return graph;
}

/** The side of the picture that the layout is scaled to, in the measure of the sizes, before circles are pushed apart. */
const PICTURE = 620;
/** Between circles; with few communities each has its name below it. */
const GAP = { few: 26, many: 6 };

/** Scales the layout to a picture, then pushes circles that overlap apart, a little in each round. */
function makeRoom(graph: CommunityLayout): void {
  const nodes = graph.nodes();
  const xs = nodes.map((node) => graph.getNodeAttribute(node, 'x'));
  const ys = nodes.map((node) => graph.getNodeAttribute(node, 'y'));
  const radii = nodes.map((node) => graph.getNodeAttribute(node, 'size'));
  const gap = nodes.length <= FEW ? GAP.few : GAP.many;
  const extent = Math.max(Math.max(...xs) - Math.min(...xs), Math.max(...ys) - Math.min(...ys), 1e-9);
  for (let i = 0; i < nodes.length; i++) {
    xs[i]! *= PICTURE / extent;
    ys[i]! *= PICTURE / extent;
  }
  for (let round = 0; round < ROOM_ROUNDS; round++)
    for (let i = 0; i < nodes.length; i++)
      for (let j = i + 1; j < nodes.length; j++) {
        const wanted = radii[i]! + radii[j]! + gap;
        const [dx, dy] = [xs[j]! - xs[i]!, ys[j]! - ys[i]!];
        const distance = Math.hypot(dx, dy);
        if (distance >= wanted) continue;
        // Two that stand on one spot part in a direction that their places in the list decide.
        const [ux, uy] =
          distance > 1e-6 ? [dx / distance, dy / distance] : [Math.cos(i + j), Math.sin(i + j)];
        const push = (wanted - distance) / 2;
        xs[i]! -= ux * push;
        ys[i]! -= uy * push;
        xs[j]! += ux * push;
        ys[j]! += uy * push;
      }
  nodes.forEach((node, i) => {
    graph.mergeNodeAttributes(node, { x: xs[i]!, y: ys[i]! });
  });
}
