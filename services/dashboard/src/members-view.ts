import type { Member, Status } from './api.ts';
import { bar, card, fill, h } from './dom.ts';
import { ago, bytes, count, figure, percent } from './format.ts';
import type { MemberColors } from './member-colors.ts';

const COLUMNS = [
  'Member',
  'State',
  'Epoch',
  'Masters',
  'Copies',
  'Of its share',
  'Connections',
  'Reads/s',
  'Writes/s',
  'Stored',
];

/** Members: state, applied epoch, what they hold against what they declared, load. */
export function membersView(colors: MemberColors) {
  const { section, body } = card('members', 'Members');
  const rows = h('tbody', { role: 'rowgroup' });
  const note = h('p', { class: 'note', hidden: true });
  fill(
    body,
    note,
    h(
      'table',
      { class: 'members', role: 'table', 'aria-labelledby': 'members-title' },
      h(
        'thead',
        { role: 'rowgroup' },
        h(
          'tr',
          { role: 'row' },
          ...COLUMNS.map((name, i) =>
            h('th', { scope: 'col', role: 'columnheader', class: i > 1 ? 'number' : '' }, name),
          ),
        ),
      ),
      rows,
    ),
    h(
      'p',
      { class: 'fine' },
      'Copies are accounts held as master, replica or read copy. “Of its share” compares them with the capacity that the member declares: 100 % is exactly its part.',
    ),
  );
  const update = (status: Status) => {
    colors.learn(status.members);
    const sorted = [...status.members].sort((a, b) => byName.compare(a.name, b.name));
    const allCopies = sum(sorted.map(copiesOf));
    const allCapacity = sum(status.members.map(({ capacity }) => capacity.copies));
    note.hidden = status.nats === 'connected';
    fill(
      note,
      status.nats === 'unset'
        ? 'This API is not connected to NATS, so it does not hear its members.'
        : 'NATS is away: the state of members can’t be known just now. The table goes on being served.',
    );
    fill(
      rows,
      ...sorted.map((member) => {
        const fair = allCapacity > 0 ? (allCopies * member.capacity.copies) / allCapacity : 0;
        return memberRow(member, status.epoch, fair > 0 ? copiesOf(member) / fair : 0, colors);
      }),
    );
  };
  return { section, update };
}

const byName = new Intl.Collator('en', { numeric: true });
const copiesOf = ({ masters, replicas, readCopies }: Member): number => masters + replicas + readCopies;
const sum = (values: number[]): number => values.reduce((total, value) => total + value, 0);

function memberRow(member: Member, epoch: number, share: number, colors: MemberColors): HTMLElement {
  const { load } = member;
  const cell = (i: number, ...content: (Node | string)[]) =>
    h(
      'td',
      { role: 'cell', class: i > 1 ? 'number' : '', 'data-label': COLUMNS[i]! },
      h('div', {}, ...content),
    );
  const missing = () => h('span', { class: 'muted', title: 'not known' }, '–');
  return h(
    'tr',
    { role: 'row' },
    h(
      'th',
      { scope: 'row', role: 'rowheader' },
      h(
        'div',
        { class: 'member' },
        colors.swatch(member.id),
        h(
          'span',
          { class: 'member-name' },
          h('strong', { dir: 'auto' }, member.name),
          ' ',
          h('small', { dir: 'ltr' }, member.url),
        ),
      ),
    ),
    cell(1, stateBadge(member)),
    cell(2, epochCell(member, epoch)),
    cell(3, count(member.masters)),
    cell(4, count(copiesOf(member)), ...movingNote(member)),
    cell(
      5,
      h(
        'span',
        { class: 'share' },
        bar(share / 1.5, colors.className(member.id)),
        h('span', { class: 'percent' }, percent(share)),
      ),
    ),
    cell(6, load ? count(load.connections) : missing()),
    cell(7, load ? figure(load.readsPerSecond) : missing()),
    cell(8, load ? figure(load.writesPerSecond) : missing()),
    cell(
      9,
      load ? h('span', { title: bytes(load.bytes) }, count(load.events)) : missing(),
      ...(load && load.spooled > 0
        ? [h('small', { class: 'warn' }, ` ${count(load.spooled)} to forward`)]
        : []),
    ),
  );
}

/** Groups that come to a member or leave it, and how many of them it still fills. */
function movingNote({ incoming, outgoing, filling }: Member): HTMLElement[] {
  const parts = [
    ...(incoming > 0 ? [`${count(incoming)} groups come`] : []),
    ...(outgoing > 0 ? [`${count(outgoing)} leave`] : []),
    ...(filling ? [`${count(filling)} being filled`] : []),
  ];
  return parts.length > 0 ? [h('small', {}, ` ${parts.join(', ')}`)] : [];
}

/** What other members' probes say stands above what is heard of it here: its path to NATS may be broken, and not the member. */
function stateBadge({ state, standing, placement, silentMs }: Member): HTMLElement {
  const now = Date.now();
  const heard = silentMs === null ? 'never heard' : `heard ${ago(now - silentMs, now)}`;
  const probed = standing === null || standing === 'alive' ? '' : `, ${standing}`;
  const text = `${state}${probed}${placement === 'draining' ? ', draining' : ''}`;
  const shown =
    standing === 'dead' || standing === 'absent' ? 'down' : probed && state === 'up' ? 'late' : state;
  return h(
    'span',
    { class: `badge state-${shown}`, title: heard },
    text,
    state === 'up' || state === 'unknown' ? null : h('small', {}, heard),
  );
}

function epochCell({ appliedEpoch, refused }: Member, epoch: number): HTMLElement {
  if (refused)
    return h(
      'span',
      { class: 'bad', title: refused.reason },
      `refused ${refused.epoch}`,
      h('small', {}, refused.reason),
    );
  if (appliedEpoch === null) return h('span', { class: 'muted', title: 'not known' }, '–');
  if (appliedEpoch >= epoch) return h('span', { title: 'up to date' }, count(appliedEpoch));
  return h(
    'span',
    { class: 'warn', title: `behind: the cluster is at ${epoch}` },
    `${count(appliedEpoch)}, behind`,
  );
}
