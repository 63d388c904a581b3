type Child = Node | string | number | null | undefined | false;
type Attributes = Record<string, string | number | boolean | ((event: never) => void) | undefined>;

/** An element. `onclick` and the like take functions; other attributes are set as text. Text is never parsed as HTML. */
export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === 'function') element.addEventListener(name.slice(2), value as EventListener);
    else if (value === true) element.setAttribute(name, '');
    else if (value !== undefined && value !== false) element.setAttribute(name, String(value));
  }
  element.append(...present(children));
  return element;
}

export function fill(element: Element, ...children: Child[]): void {
  element.replaceChildren(...present(children));
}

function present(children: Child[]): (Node | string)[] {
  return children
    .filter((child) => child !== null && child !== undefined && child !== false)
    .map((child) => (typeof child === 'number' ? String(child) : child)) as (Node | string)[];
}

/** A bar as wide as `share` (0 to 1) of its place. It repeats a number that stands beside it, so it is hidden from readers. */
export function bar(share: number, className = ''): HTMLElement {
  const inner = h('span', { class: className });
  inner.style.width = `${Math.max(0, Math.min(1, share)) * 100}%`;
  return h('span', { class: 'bar', 'aria-hidden': 'true' }, inner);
}

/** A card with a heading; `body` is where a view puts its content. */
export function card(id: string, title: string, lead?: string): { section: HTMLElement; body: HTMLElement } {
  const body = h('div', { class: 'card-body' });
  const section = h(
    'section',
    { class: 'card', id, 'aria-labelledby': `${id}-title` },
    h('h2', { id: `${id}-title` }, title),
    lead && h('p', { class: 'lead' }, lead),
    body,
  );
  return { section, body };
}
