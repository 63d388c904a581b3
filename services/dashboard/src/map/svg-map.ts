import type { MemberColors } from '../member-colors.ts';
import { type Drawing, labelsAlways } from './community-map.ts';
import type { CommunityLayout } from './layout.ts';

const SVG = 'http://www.w3.org/2000/svg';
const WIDTH = 800;
const HEIGHT = 560;
const MARGIN = 30;

/** The picture as SVG: the same places and colours, without zoom. For browsers without WebGL. */
export function drawSvg({
  container,
  graph,
  colors,
  onOpen,
}: {
  container: HTMLElement;
  graph: CommunityLayout;
  colors: MemberColors;
  onOpen: (id: number) => void;
}): Drawing {
  const svg = make('svg', { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, 'aria-hidden': 'true' });
  const place = fit(graph);
  graph.forEachEdge((_edge, { weight }, _a, _b, a, b) => {
    const [from, to] = [place(a), place(b)];
    svg.append(
      make('line', {
        x1: from.x,
        y1: from.y,
        x2: to.x,
        y2: to.y,
        class: 'tie',
        'stroke-width': 0.6 + 2 * weight,
      }),
    );
  });
  const circles = new Map<number, SVGElement>();
  const labels: SVGElement[] = [];
  const named = labelsAlways(container.clientWidth);
  graph.forEachNode((id, node) => {
    const { x, y, size } = place(node);
    const circle = make('circle', {
      cx: x,
      cy: y,
      r: size,
      class: `community ${colors.className(node.member)}`,
    });
    const title = make('title', {});
    title.textContent = `${node.label}: ${node.accounts} accounts`;
    circle.append(title);
    circle.addEventListener('click', () => onOpen(Number(id)));
    circles.set(Number(id), circle);
    svg.append(circle);
    if (node.rank >= named) return;
    const text = make('text', { x, y: y + size + 14, 'text-anchor': 'middle' });
    text.textContent = node.label;
    labels.push(text);
  });
  svg.append(...labels);
  container.append(svg);
  return {
    select: (id) => {
      for (const [each, circle] of circles) circle.classList.toggle('selected', each === id);
      svg.classList.toggle('has-selection', id !== undefined);
    },
    recolor: () => {}, // colours are CSS classes
    destroy: () => svg.remove(),
  };
}

function make(name: string, attributes: Record<string, string | number>): SVGElement {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, String(value));
  return element;
}

interface Placed {
  x: number;
  y: number;
  size: number;
}

/** Scales the layout into the picture, keeping its proportions. */
function fit(graph: CommunityLayout): (node: Placed) => Placed {
  const ends = graph.mapNodes((_, { x, y, size }) => [x - size, x + size, y - size, y + size] as const);
  const left = Math.min(...ends.map(([end]) => end));
  const right = Math.max(...ends.map(([, end]) => end));
  const top = Math.min(...ends.map(([, , end]) => end));
  const bottom = Math.max(...ends.map(([, , , end]) => end));
  const scale = Math.min(
    (WIDTH - 2 * MARGIN) / (right - left || 1),
    (HEIGHT - 2 * MARGIN) / (bottom - top || 1),
  );
  return ({ x, y, size }) => ({
    x: WIDTH / 2 + (x - (left + right) / 2) * scale,
    // sigma's y points up
    y: HEIGHT / 2 - (y - (top + bottom) / 2) * scale,
    size: size * scale,
  });
}
