import Sigma from 'sigma';
import { plural } from '../format.ts';
import type { MemberColors } from '../member-colors.ts';
import { cssColor, type Drawing, labelsAlways } from './community-map.ts';
import type { CommunityLayout, PlacedNode } from './layout.ts';

const FONT = 'ui-sans-serif, system-ui, sans-serif';
const ZOOM_MS = 200;

/** The picture on WebGL with sigma. The wheel scrolls the page, with Ctrl it zooms; so does a pinch. */
export function drawSigma({
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
  let selected: string | undefined;
  let hovered: string | undefined;
  let theme = readTheme();
  const near = (node: string) => {
    const centre = hovered ?? selected;
    return centre === undefined || node === centre || graph.areNeighbors(node, centre);
  };
  const leaveToPage = (event: Event) => {
    const zooms =
      event instanceof WheelEvent ? event.ctrlKey || event.metaKey : (event as TouchEvent).touches.length > 1;
    if (!zooms) event.stopImmediatePropagation();
  };
  for (const type of ['wheel', 'touchstart', 'touchmove'])
    container.addEventListener(type, leaveToPage, { capture: true, passive: true });

  const sigma = new Sigma<PlacedNode, { weight: number; strength: number }>(graph, container, {
    allowInvalidContainer: true,
    labelFont: FONT,
    labelSize: 12.5,
    labelWeight: '500',
    labelColor: { color: theme.ink },
    labelDensity: 0.6,
    labelGridCellSize: 120,
    labelRenderedSizeThreshold: 10,
    stagePadding: 44,
    // Sizes are in the layout's own measure, so that circles never meet, on a phone no more than on a desk.
    itemSizesReference: 'positions',
    zoomToSizeRatioFunction: (ratio) => ratio,
    minCameraRatio: 0.1,
    maxCameraRatio: 2,
    zIndex: true,
    nodeReducer: (node, data) => {
      const lit = near(node);
      return {
        ...data,
        color: lit ? colors.css(data.member) : theme.faint,
        label: lit || hovered === undefined ? data.label : '',
        forceLabel: data.rank < labelsAlways(container.clientWidth) || node === selected,
        zIndex: lit ? 1 : 0,
        highlighted: node === selected,
      };
    },
    edgeReducer: (edge, { weight }) => {
      const centre = hovered ?? selected;
      const lit = centre === undefined || graph.extremities(edge).includes(centre);
      return {
        size: 0.5 + 2.5 * weight,
        color: lit ? (centre === undefined ? theme.tie : theme.litTie) : theme.faintTie,
        zIndex: lit ? 1 : 0,
      };
    },
    defaultDrawNodeLabel: (context, data) => drawLabel(context, data, theme),
    defaultDrawNodeHover: (context, data) => {
      const { label, accounts } = { ...(data as unknown as PlacedNode), label: data.label };
      drawHover(context, data, label ?? '', accounts, theme);
    },
  });
  const redraw = () => sigma.refresh({ skipIndexation: true });
  sigma.on('enterNode', ({ node }) => {
    hovered = node;
    container.style.cursor = 'pointer';
    redraw();
  });
  sigma.on('leaveNode', () => {
    hovered = undefined;
    container.style.cursor = '';
    redraw();
  });
  sigma.on('clickNode', ({ node }) => onOpen(Number(node)));
  return {
    select: (id) => {
      selected = id === undefined ? undefined : String(id);
      redraw();
    },
    recolor: () => {
      theme = readTheme();
      sigma.setSetting('labelColor', { color: theme.ink });
      redraw();
    },
    destroy: () => {
      for (const type of ['wheel', 'touchstart', 'touchmove'])
        container.removeEventListener(type, leaveToPage, true);
      sigma.kill();
    },
    zoom: (direction) => {
      const camera = sigma.getCamera();
      if (direction === 0) void camera.animatedReset({ duration: ZOOM_MS });
      else if (direction > 0) void camera.animatedZoom({ duration: ZOOM_MS });
      else void camera.animatedUnzoom({ duration: ZOOM_MS });
    },
  };
}

function readTheme() {
  return {
    ink: cssColor('--ink'),
    surface: cssColor('--surface'),
    line: cssColor('--line'),
    muted: cssColor('--muted'),
    faint: cssColor('--map-faint'),
    tie: cssColor('--map-tie'),
    litTie: cssColor('--map-tie-lit'),
    faintTie: cssColor('--map-tie-faint'),
  };
}

/** The name below its community, with a halo so that ties do not run through it. */
function drawLabel(
  context: CanvasRenderingContext2D,
  { x, y, size, label }: { x: number; y: number; size: number; label?: string | null },
  theme: ReturnType<typeof readTheme>,
): void {
  if (!label) return;
  context.font = `500 12.5px ${FONT}`;
  context.textAlign = 'center';
  context.lineJoin = 'round';
  context.lineWidth = 3.5;
  context.strokeStyle = theme.surface;
  context.strokeText(label, x, y + size + 14);
  context.fillStyle = theme.ink;
  context.fillText(label, x, y + size + 14);
}

/** Name and size in a small box below the community. */
function drawHover(
  context: CanvasRenderingContext2D,
  { x, y, size }: { x: number; y: number; size: number },
  label: string,
  accounts: number,
  theme: ReturnType<typeof readTheme>,
): void {
  const note = plural(accounts, 'account');
  context.font = `600 13px ${FONT}`;
  const nameWidth = context.measureText(label).width;
  context.font = `12px ${FONT}`;
  const width = Math.max(nameWidth, context.measureText(note).width) + 20;
  const left = x - width / 2;
  const top = y + size + 3;
  context.textAlign = 'left';
  context.beginPath();
  context.roundRect(left, top, width, 44, 8);
  context.fillStyle = theme.surface;
  context.fill();
  context.strokeStyle = theme.line;
  context.lineWidth = 1;
  context.stroke();
  context.beginPath();
  context.arc(x, y, size + 3, 0, Math.PI * 2);
  context.strokeStyle = theme.ink;
  context.lineWidth = 2;
  context.stroke();
  context.fillStyle = theme.ink;
  context.font = `600 13px ${FONT}`;
  context.fillText(label, left + 10, top + 18);
  context.fillStyle = theme.muted;
  context.font = `12px ${FONT}`;
  context.fillText(note, left + 10, top + 35);
}
