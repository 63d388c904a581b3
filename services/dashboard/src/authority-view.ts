import { type Authority, type AuthorityMember, explain, type LoggedOrder, type Probe } from './api.ts';
import { card, fill, h } from './dom.ts';
import { ago, figure, plural, shortKey } from './format.ts';
import type { MemberColors } from './member-colors.ts';

/** How long what is shown may stay before it is asked for again, beside each new epoch. */
export const AUTHORITY_FRESH_MS = 15_000;
const LOG_ENTRIES = 12;
/** Those that need an admin come first, those that are gone last. */
const STATES = ['requested', 'suspended', 'draining', 'active', 'refused', 'left'];
const BADGES: Record<string, string> = {
  active: 'up',
  requested: 'late',
  draining: 'late',
  suspended: 'down',
};
const PROBES: Record<Probe['outcome'], string> = {
  ok: 'kept to the table',
  unreachable: 'did not answer',
  astray: 'did not keep to the table',
};

/** Who is, was or wants to be a member, what probes found, who coordinates, and who ordered what. */
export function authorityView(colors: MemberColors) {
  const { section, body } = card(
    'authority',
    'Membership',
    'Who is, was or wants to be a member, what the coordinator’s probes found when they used it as a client would, and who ordered what.',
  );
  const update = ({ members, coordinators, paused, log }: Authority) => {
    const now = Date.now();
    const names = new Map(members.map(({ id, name }) => [id, name]));
    for (const { pubkey, name } of coordinators) names.set(pubkey, name);
    const sorted = [...members].sort(
      (a, b) => STATES.indexOf(a.state) - STATES.indexOf(b.state) || byName.compare(a.name, b.name),
    );
    fill(
      body,
      paused &&
        h(
          'p',
          { class: 'banner', role: 'status' },
          h('strong', {}, `Placement is paused since ${ago(Date.parse(paused.at), now)}`),
          `${paused.reason ? `: ${paused.reason}` : ''}. Members go on serving; `,
          h('code', {}, 'covey resume'),
          ' ends it.',
        ),
      table(
        'membership',
        'Membership of relays',
        ['Relay', 'Membership', 'Counts for', 'Probes'],
        sorted.map((member) => memberRow(member, colors, now)),
      ),
      h(
        'p',
        { class: 'fine' },
        '“Counts for” is the capacity that placement uses, against what the operator declared: claims far above the others’ are clamped, and slow members are halved.',
      ),
      h(
        'div',
        { class: 'columns' },
        h(
          'div',
          {},
          h('h3', {}, 'Who ordered what'),
          log.length === 0
            ? h('p', { class: 'muted' }, 'Nobody has ordered anything yet.')
            : table(
                'orders',
                'Who ordered what, newest first',
                ['When', 'Who', 'What'],
                log.map((entry) => orderRow(entry, names, now)),
              ),
          h(
            'p',
            { class: 'fine' },
            'The whole log, with the signed orders: ',
            h('code', {}, 'covey log'),
            '.',
          ),
        ),
        h(
          'div',
          {},
          h('h3', {}, 'Coordinators'),
          coordinators.length === 0
            ? h('p', { class: 'muted' }, 'None was seen in the last half minute.')
            : table(
                'coordinators',
                'Coordinators',
                ['Name', 'Role', 'Seen'],
                coordinators.map(({ name, pubkey, seenAt, leads }) =>
                  h(
                    'tr',
                    {},
                    h(
                      'th',
                      { scope: 'row' },
                      h('span', { dir: 'auto' }, name),
                      ' ',
                      h('small', { title: pubkey }, shortKey(pubkey)),
                    ),
                    h(
                      'td',
                      {},
                      h(
                        'span',
                        { class: `badge state-${leads ? 'up' : 'unknown'}` },
                        leads ? 'leads' : 'stands by',
                      ),
                    ),
                    h('td', {}, h('time', { datetime: seenAt, title: seenAt }, ago(Date.parse(seenAt), now))),
                  ),
                ),
              ),
        ),
      ),
    );
  };
  const showClosed = (error: unknown) => fill(body, h('p', { class: 'muted' }, explain(error)));
  return { section, update, showClosed, path: `/v1/admin/authority?limit=${LOG_ENTRIES}` };
}

const byName = new Intl.Collator('en', { numeric: true });

function table(className: string, label: string, columns: string[], rows: HTMLElement[]): HTMLElement {
  return h(
    'table',
    { class: className, 'aria-label': label },
    h('thead', {}, h('tr', {}, ...columns.map((name) => h('th', { scope: 'col' }, name)))),
    h('tbody', {}, ...rows),
  );
}

function memberRow(member: AuthorityMember, colors: MemberColors, now: number): HTMLElement {
  const { id, name, url, state, leaving, reason, changedAt } = member;
  return h(
    'tr',
    {},
    h(
      'th',
      { scope: 'row' },
      h(
        'div',
        { class: 'member' },
        colors.swatch(id),
        h(
          'span',
          { class: 'member-name' },
          h('strong', { dir: 'auto' }, name),
          ' ',
          h('small', { dir: 'ltr' }, url),
        ),
      ),
    ),
    h(
      'td',
      {},
      h(
        'span',
        { class: `badge state-${BADGES[state] ?? 'unknown'}` },
        leaving ? `${state}, leaving` : state,
        h('small', { title: changedAt }, `${ago(Date.parse(changedAt), now)}${reason ? `: ${reason}` : ''}`),
      ),
      state === 'requested' ? h('small', {}, h('code', {}, `covey members admit ${id.slice(0, 12)}…`)) : null,
    ),
    h('td', { 'data-label': 'Counts for' }, ...capacityCell(member)),
    h('td', { 'data-label': 'Probes' }, ...probesCell(member.probes, now)),
  );
}

/** One number where nothing was clamped; else each figure against what was declared. */
function capacityCell({ declared, capacity }: AuthorityMember): (Node | string)[] {
  const parts = (['copies', 'connections', 'reads'] as const).map((what) => ({
    what,
    used: capacity[what],
    said: declared[what],
  }));
  const used = new Set(parts.map((part) => part.used));
  const clamped = parts.filter((part) => part.used !== part.said);
  const main = used.size === 1 ? figure(capacity.copies) : parts.map((part) => figure(part.used)).join(' / ');
  return [
    h('span', { title: 'copies / connections / reads' }, main),
    ...(clamped.length > 0
      ? [h('small', { class: 'warn' }, ` declared ${parts.map((part) => figure(part.said)).join(' / ')}`)]
      : []),
  ];
}

/** The kept outcomes, oldest first, as marks, and the same in words. */
function probesCell(probes: Probe[], now: number): (Node | string)[] {
  const last = probes[0];
  if (!last) return [h('span', { class: 'muted' }, 'none yet')];
  const good = probes.filter(({ outcome }) => outcome === 'ok').length;
  const fault = probes.find(({ outcome }) => outcome !== 'ok');
  const times = probes.flatMap(({ ms }) => (ms === undefined ? [] : [ms])).sort((a, b) => a - b);
  const median = times[Math.floor(times.length / 2)];
  return [
    h(
      'span',
      { class: 'probe-marks', 'aria-hidden': 'true' },
      ...[...probes]
        .reverse()
        .map(({ outcome, at }) =>
          h('span', { class: `probe-${outcome}`, title: `${at}: ${PROBES[outcome]}` }),
        ),
    ),
    h(
      'span',
      {},
      `${good} of ${plural(probes.length, 'probe')} well`,
      median === undefined ? '' : `, OK after ${figure(median)} ms`,
    ),
    h(
      'small',
      fault ? { class: last === fault ? 'bad' : 'warn' } : {},
      fault
        ? ` ${ago(Date.parse(fault.at), now)} it ${PROBES[fault.outcome]}${fault.detail ? `: ${fault.detail}` : ''}`
        : ` last ${ago(Date.parse(last.at), now)}`,
    ),
  ];
}

function orderRow(
  { at, actor, action, subject, detail }: LoggedOrder,
  names: ReadonlyMap<string, string>,
  now: number,
): HTMLElement {
  const called = (key: string): string => names.get(key) ?? (isKey.test(key) ? shortKey(key) : key);
  const { from, to, reason } = detail as Record<string, unknown>;
  const change = typeof from === 'string' && typeof to === 'string' ? `${from} → ${to}` : '';
  const why = typeof reason === 'string' ? reason : '';
  return h(
    'tr',
    {},
    h('td', {}, h('time', { datetime: at, title: at }, ago(Date.parse(at), now))),
    h('td', { title: actor, dir: 'auto' }, called(actor)),
    h(
      'td',
      {},
      h('strong', {}, action),
      subject ? h('span', { title: subject, dir: 'auto' }, ` ${called(subject)}`) : null,
      change || why ? h('small', {}, ` ${[change, why].filter(Boolean).join(', ')}`) : null,
    ),
  );
}

const isKey = /^[0-9a-f]{64}$/;
