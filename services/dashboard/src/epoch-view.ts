import { type EpochDetail, type Epochs, explain } from './api.ts';
import { bar, card, fill, h } from './dom.ts';
import { ago, count, duration, figure, plural } from './format.ts';
import type { MemberColors } from './member-colors.ts';

/** Names for people of what the coordinator reports. What has no name here is shown under its own. */
const REASONS: Record<string, string> = {
  'member left': 'a member left',
  'member draining': 'a member is draining',
  denial: 'an operator refuses it',
  pin: 'followed its own relay list',
  trust: 'trust changed',
  'member joined': 'a member joined',
  readers: 'better for its readers',
  balance: 'load had to be divided',
};
const FIGURES: Record<string, string> = {
  fanout: 'Relays that a reader opens, on average',
  readers: 'Readers looked at',
  connectionBalance: 'Busiest member by connections, of the mean',
  readBalance: 'Busiest member by reads, of the mean',
  modularity: 'Modularity of the communities',
};
const HISTORY = 8;
/** Counted beside the moves: who came and who went. */
const CAME_AND_WENT = ['new', 'gone'];

/** The current epoch: what it moved and why, how it was computed, and the epochs before it. */
export function epochView(colors: MemberColors) {
  const { section, body } = card('epoch', 'Epoch');
  const detail = h('div', {});
  const history = h('div', {});
  fill(body, h('div', { class: 'columns' }, detail, history));
  const showDetail = (epoch: EpochDetail) => {
    const reasons = Object.entries(epoch.moved.byReason)
      .filter(([reason, n]) => n > 0 && !CAME_AND_WENT.includes(reason))
      .sort((a, b) => b[1] - a[1]);
    const most = Math.max(1, ...reasons.map(([, n]) => n));
    const phases = Object.entries(epoch.ms)
      .filter(([name]) => name !== 'total')
      .sort((a, b) => b[1] - a[1]);
    fill(
      detail,
      h('h3', {}, `Epoch ${count(epoch.epoch)} moved ${plural(epoch.moved.accounts, 'account')}`),
      reasons.length > 0
        ? h(
            'ul',
            { class: 'bars' },
            ...reasons.map(([reason, n]) =>
              h(
                'li',
                {},
                h('span', { class: 'bar-name' }, REASONS[reason] ?? reason),
                bar(n / most),
                h('span', { class: 'amount' }, count(n)),
              ),
            ),
          )
        : h(
            'p',
            { class: 'muted' },
            epoch.epoch === 1
              ? 'The first epoch: nobody was placed before.'
              : 'Everyone who was placed before stayed on the same members.',
          ),
      h(
        'p',
        { class: 'came' },
        `${plural(epoch.moved.byReason['new'] ?? 0, 'account')} came, ${count(epoch.moved.byReason['gone'] ?? 0)} went.`,
      ),
      movesByMember(epoch),
      h(
        'dl',
        { class: 'facts' },
        ...Object.entries(epoch.figures).map(([name, value]) =>
          h('div', {}, h('dt', {}, FIGURES[name] ?? name), h('dd', {}, figure(value))),
        ),
        epoch.trust &&
          h(
            'div',
            {},
            h('dt', {}, 'Trust'),
            h(
              'dd',
              {},
              epoch.trust.basis === 'equal'
                ? 'no seeds: every account counts alike'
                : `${count(epoch.trust.seeds)} seeds, ${count(epoch.trust.readers)} readers, ${count(epoch.trust.placed)} accounts placed`,
            ),
          ),
        phases.length > 0 &&
          h(
            'div',
            {},
            h('dt', {}, 'Time by phase, longest first'),
            h('dd', {}, phases.map(([name, ms]) => `${name} ${duration(ms)}`).join(' · ')),
          ),
      ),
    );
  };
  const movesByMember = ({ members }: EpochDetail): Node =>
    members.some(({ came, left }) => came + left > 0)
      ? h(
          'table',
          { class: 'moves-by-member', 'aria-label': 'Copies that members got and gave up' },
          h(
            'thead',
            {},
            h(
              'tr',
              {},
              ...['Member', 'Copies came', 'Left', 'Connections', 'Reads'].map((name, i) =>
                h('th', { scope: 'col', class: i === 0 ? '' : 'number' }, name),
              ),
            ),
          ),
          h(
            'tbody',
            {},
            ...members.map(({ id, came, left, connections, reads }) =>
              h(
                'tr',
                {},
                h(
                  'th',
                  { scope: 'row' },
                  h('span', { class: 'bar-name' }, colors.swatch(id), colors.name(id)),
                ),
                h('td', { class: 'number' }, count(came)),
                h('td', { class: 'number' }, count(left)),
                h('td', { class: 'number' }, figure(connections)),
                h('td', { class: 'number' }, figure(reads)),
              ),
            ),
          ),
        )
      : h('span', {});
  const showHistory = ({ epochs, partial }: Epochs) => {
    const now = Date.now();
    fill(
      history,
      h('h3', { id: 'history-title' }, 'Latest epochs'),
      h(
        'table',
        { 'aria-labelledby': 'history-title' },
        h(
          'thead',
          {},
          h(
            'tr',
            {},
            ...['Epoch', 'When', 'Accounts', 'Groups', 'Moved'].map((name, i) =>
              h('th', { scope: 'col', class: i === 1 ? '' : 'number' }, name),
            ),
          ),
        ),
        h(
          'tbody',
          {},
          ...epochs.map(({ epoch, createdAt, accounts, groups, moved }) =>
            h(
              'tr',
              {},
              h('th', { scope: 'row', class: 'number' }, count(epoch)),
              h(
                'td',
                {},
                h('time', { datetime: createdAt, title: createdAt }, ago(Date.parse(createdAt), now)),
              ),
              h('td', { class: 'number' }, count(accounts)),
              h('td', { class: 'number' }, count(groups)),
              h('td', { class: 'number' }, count(moved)),
            ),
          ),
        ),
      ),
      partial && h('p', { class: 'fine' }, partial),
    );
  };
  const showClosed = (error: unknown) => {
    fill(detail, h('h3', {}, 'What it moved'), h('p', { class: 'muted' }, explain(error)));
  };
  return { section, showDetail, showHistory, showClosed, historyPath: `/v1/epochs?limit=${HISTORY}` };
}
