import type { AccountDetail } from './api.ts';
import { bar, h } from './dom.ts';
import { count, figure } from './format.ts';
import type { MemberColors } from './member-colors.ts';

/** Why an account lives where it does: in sentences, its readers by member, and what another place would cost. */
export function accountWhy(
  { why, readers, open, alternatives, epoch }: AccountDetail,
  colors: MemberColors,
): Node[] {
  const member = (id: string) => h('span', { class: 'bar-name' }, colors.swatch(id), colors.name(id));
  const most = Math.max(1, ...open.map((one) => one.readers));
  return [
    h('h3', { class: 'why-title' }, 'Why here'),
    h('ul', { class: 'why' }, ...why.map((sentence) => h('li', { dir: 'auto' }, sentence))),
    readers > 0 ? h('h4', {}, 'Which members its readers have open') : h('span', {}),
    h(
      'ul',
      { class: 'bars' },
      ...open.map(({ id, readers, holds }) =>
        h(
          'li',
          {},
          h('span', {}, member(id), holds ? ' · holds it' : ''),
          bar(readers / most, colors.className(id)),
          h('span', { class: 'amount' }, count(readers)),
        ),
      ),
    ),
    ...(alternatives.length > 0
      ? [
          h('h4', { id: 'elsewhere-title' }, 'If one copy stood elsewhere'),
          h(
            'table',
            { class: 'elsewhere', 'aria-labelledby': 'elsewhere-title' },
            h(
              'thead',
              {},
              h(
                'tr',
                {},
                ...['From', 'To', 'Relays more', 'Connections of mean', 'Reads of mean'].map((name, i) =>
                  h('th', { scope: 'col', class: i < 2 ? '' : 'number' }, name),
                ),
              ),
            ),
            h(
              'tbody',
              {},
              ...alternatives.map(({ from, to, relays, connections, reads }) =>
                h(
                  'tr',
                  {},
                  h('td', {}, member(from.id)),
                  h('td', {}, member(to.id)),
                  h('td', { class: 'number' }, relays > 0 ? `+${count(relays)}` : count(relays)),
                  h('td', { class: 'number' }, figure(connections)),
                  h('td', { class: 'number' }, figure(reads)),
                ),
              ),
            ),
          ),
          h(
            'p',
            { class: 'fine' },
            `Relays that all its readers together would open more, everything else staying; placement of epoch ${count(epoch)}. Only admins on this machine see this.`,
          ),
        ]
      : []),
  ];
}
