import { h } from './dom.ts';

/** Hues of members, by their place in the table; style.css has them for light and dark. Further members start over. */
const COLORS = 8;

/** Remembers which member has which colour and name, so that every view shows the same. */
export class MemberColors {
  readonly #index = new Map<string, number>();
  readonly #names = new Map<string, string>();

  learn(members: readonly { id: string; name: string }[]): void {
    this.#index.clear();
    members.forEach(({ id, name }, i) => {
      this.#index.set(id, i % COLORS);
      this.#names.set(id, name);
    });
  }

  className(id: string): string {
    const index = this.#index.get(id);
    return index === undefined ? 'member-other' : `member-${index}`;
  }

  /** The colour as CSS text, for drawing on a canvas. */
  css(id: string): string {
    const index = this.#index.get(id);
    const name = index === undefined ? '--member-other' : `--member-${index}`;
    return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  }

  name(id: string): string {
    return this.#names.get(id) ?? `${id.slice(0, 8)}…`;
  }

  swatch(id: string): HTMLElement {
    return h('span', { class: `swatch ${this.className(id)}`, 'aria-hidden': 'true' });
  }
}
