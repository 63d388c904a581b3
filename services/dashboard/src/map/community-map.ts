import type { CommunityGraph } from '../api.ts';
import { fill, h } from '../dom.ts';
import { plural } from '../format.ts';
import type { MemberColors } from '../member-colors.ts';
import { layOut } from './layout.ts';
import { drawSvg } from './svg-map.ts';

/** What draws the laid-out graph into a container. */
export interface Drawing {
  select(id: number | undefined): void;
  /** Takes colours anew, after light turned to dark. */
  recolor(): void;
  destroy(): void;
  /** In or out; 0 for all. Absent when the drawing does not zoom. */
  zoom?(direction: 1 | -1 | 0): void;
}

/** The picture of the community graph: on WebGL with sigma where the browser has it, else as SVG. */
export class CommunityMap {
  readonly element = h('div', { class: 'map', role: 'group' });
  readonly #stage = h('div', { class: 'map-stage' });
  readonly #tools = h('div', { class: 'map-tools' });
  readonly #colors: MemberColors;
  readonly #onOpen: (id: number) => void;
  #drawing: Drawing | undefined;
  #selected: number | undefined;

  constructor(colors: MemberColors, onOpen: (id: number) => void) {
    this.#colors = colors;
    this.#onOpen = onOpen;
    fill(this.element, this.#stage, this.#tools);
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => this.#drawing?.recolor());
  }

  async show(data: CommunityGraph): Promise<void> {
    this.element.setAttribute(
      'aria-label',
      `Picture of ${plural(data.nodes.length, 'community', 'communities')} and who follows whom; the list beside it names them`,
    );
    const graph = layOut(data);
    this.#drawing?.destroy();
    fill(this.#stage);
    const options = { container: this.#stage, graph, colors: this.#colors, onOpen: this.#onOpen };
    const webgl = hasWebgl();
    this.element.dataset['renderer'] = webgl ? 'webgl' : 'svg';
    this.#drawing = webgl ? (await import('./sigma-map.ts')).drawSigma(options) : drawSvg(options);
    this.#drawing.select(this.#selected);
    const { zoom } = this.#drawing;
    fill(
      this.#tools,
      ...(zoom
        ? (
            [
              ['+', 'Zoom in', 1],
              ['−', 'Zoom out', -1],
              ['All', 'Show all', 0],
            ] as const
          ).map(([text, label, direction]) =>
            h(
              'button',
              { type: 'button', 'aria-label': label, title: label, onclick: () => zoom(direction) },
              text,
            ),
          )
        : []),
    );
  }

  select(id: number | undefined): void {
    this.#selected = id;
    this.#drawing?.select(id);
  }
}

function hasWebgl(): boolean {
  try {
    return document.createElement('canvas').getContext('webgl2') !== null;
  } catch {
    return false;
  }
}

/** How many communities, the largest first, have their name written always: as many as the picture has room for. */
export function labelsAlways(widthPixels: number): number {
  return widthPixels < 480 ? 6 : 12;
}

export function cssColor(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}
