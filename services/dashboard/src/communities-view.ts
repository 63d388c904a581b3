import { ask, type Community, type CommunityDetail, type CommunityGraph, explain } from './api.ts';
import { bar, card, fill, h } from './dom.ts';
import { count, percent, plural, shortKey } from './format.ts';
import { CommunityMap } from './map/community-map.ts';
import type { MemberColors } from './member-colors.ts';

/** The largest communities: a picture, a list, and for each its top accounts and where its accounts live. */
export function communitiesView(colors: MemberColors, lookUp: (npub: string) => void) {
  const { section, body } = card(
    'communities',
    'Communities',
    'Accounts that follow each other, as detection found them; named after their most followed account. Only admins on this machine see this.',
  );
  const panel = h('div', { class: 'community-panel' });
  const legend = h('ul', { class: 'legend', 'aria-label': 'Colours of members' });
  const map = new CommunityMap(colors, (id) => void open(id));
  let communities: Community[] = [];
  let turn = 0;

  const list = () => {
    turn++;
    panel.className = 'community-panel';
    map.select(undefined);
    const most = Math.max(1, ...communities.map(({ accounts }) => accounts));
    fill(
      panel,
      h(
        'ul',
        { class: 'community-list', 'aria-label': 'Largest communities' },
        ...communities.map((community) =>
          h(
            'li',
            {},
            h(
              'button',
              { type: 'button', 'data-community': community.id, onclick: () => void open(community.id) },
              h('span', { class: 'community-name', dir: 'auto' }, community.label),
              h('span', { class: 'amount' }, plural(community.accounts, 'account')),
              spread(community, community.accounts / most, colors),
            ),
          ),
        ),
      ),
    );
  };

  const back = (id: number) => {
    list();
    panel.querySelector<HTMLElement>(`[data-community="${id}"]`)?.focus();
  };

  const open = async (id: number) => {
    const mine = ++turn;
    map.select(id);
    const found = await ask<CommunityDetail>(`/v1/admin/communities/${id}`).catch((error: unknown) => error);
    if (mine !== turn) return;
    panel.className = 'community-panel detail';
    const heading = h('h3', { tabindex: -1, dir: 'auto' });
    const leave = h(
      'button',
      { type: 'button', class: 'quiet', onclick: () => back(id) },
      '← All communities',
    );
    if (found instanceof Error) {
      fill(heading, 'This community can’t be shown');
      fill(panel, leave, heading, h('p', { class: 'problem' }, explain(found)));
    } else fill(panel, leave, heading, ...describe(found as CommunityDetail, heading));
    heading.focus({ preventScroll: true });
  };

  const describe = (community: CommunityDetail, heading: HTMLElement): Node[] => {
    fill(heading, community.label);
    const placed = community.members.reduce((total, [, accounts]) => total + accounts, 0);
    return [
      h(
        'p',
        { class: 'fine' },
        `${plural(community.accounts, 'account')}, ${plural(community.follows, 'follow')} among them`,
      ),
      h('h4', {}, 'Most followed'),
      h(
        'ol',
        { class: 'top-accounts' },
        ...community.top.map(({ npub, name, followers }) =>
          h(
            'li',
            {},
            h(
              'button',
              { type: 'button', class: 'account', title: `${npub}: look it up`, onclick: () => lookUp(npub) },
              h('span', { class: 'account-name', dir: 'auto' }, name || shortKey(npub)),
              name ? h('small', {}, shortKey(npub)) : null,
            ),
            h('span', { class: 'amount' }, plural(followers, 'follower')),
          ),
        ),
      ),
      h('h4', {}, 'Where its accounts’ masters are'),
      h(
        'ul',
        { class: 'bars' },
        ...community.members.map(([id, accounts]) =>
          h(
            'li',
            {},
            h('span', { class: 'bar-name' }, colors.swatch(id), colors.name(id)),
            bar(accounts / Math.max(1, community.members[0]?.[1] ?? 1), colors.className(id)),
            h('span', { class: 'amount' }, `${count(accounts)} · ${percent(accounts / Math.max(1, placed))}`),
          ),
        ),
      ),
    ];
  };

  const update = (
    next: Community[],
    graph: CommunityGraph,
    members: readonly { id: string; name: string }[],
  ) => {
    communities = next;
    fill(legend, ...members.map(({ id, name }) => h('li', {}, colors.swatch(id), name)));
    fill(body, h('div', { class: 'community-columns' }, h('div', {}, map.element, legend), panel));
    list();
    void map.show(graph);
  };
  const showClosed = (error: unknown) => {
    fill(body, h('p', { class: 'muted' }, explain(error)));
  };
  return { section, update, showClosed };
}

/** A bar of the colours of the members that master the community, as long as the community is large. */
function spread({ members }: Community, size: number, colors: MemberColors): HTMLElement {
  const total = members.reduce((sum, [, accounts]) => sum + accounts, 0);
  const line = h('span', { class: 'spread', 'aria-hidden': 'true' });
  line.style.width = `${Math.max(4, Math.sqrt(size) * 100)}%`;
  for (const [id, accounts] of members) {
    const part = h('span', { class: colors.className(id) });
    part.style.flexGrow = String(accounts / Math.max(1, total));
    line.append(part);
  }
  return line;
}
