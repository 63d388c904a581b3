import type { Status } from './api.ts';
import { fill, h } from './dom.ts';
import { ago, count } from './format.ts';

/** Moves under way, by phase. */
function moving({ moves, movesByPhase }: Status): string {
  const phases = Object.entries(movesByPhase)
    .filter(([, groups]) => groups > 0)
    .map(([phase, groups]) => `${count(groups)} ${phase.replaceAll('-', ' ')}`);
  return `${count(moves)} moving: ${phases.join(', ')}`;
}

/** The cluster in six numbers. */
export function figuresView() {
  const list = h('dl', { class: 'figures' });
  const section = h('section', { 'aria-label': 'The cluster in numbers', id: 'figures' }, list);
  const entry = (name: string, value: string, note?: string) =>
    h(
      'div',
      {},
      h('dt', {}, name),
      h('dd', {}, value, note ? ' ' : null, note ? h('small', {}, note) : null),
    );
  const update = (status: Status) => {
    const createdMs = status.createdAt ? Date.parse(status.createdAt) : undefined;
    const up = status.members.filter(({ state }) => state === 'up').length;
    fill(
      list,
      entry('Epoch', count(status.epoch), createdMs === undefined ? undefined : ago(createdMs, Date.now())),
      entry('Members up', `${up} / ${status.members.length}`),
      entry('Accounts', count(status.accounts)),
      entry('Follows', count(status.follows)),
      entry('Communities', count(status.communities)),
      entry('Groups', count(status.groups), status.moves > 0 ? moving(status) : undefined),
    );
  };
  return { section, update };
}
