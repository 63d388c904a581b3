import {
  ApiProblem,
  type Authority,
  ask,
  type Community,
  type CommunityGraph,
  type EpochDetail,
  type Epochs,
  type Status,
} from './api.ts';
import { AUTHORITY_FRESH_MS, authorityView } from './authority-view.ts';
import { communitiesView } from './communities-view.ts';
import { fill, h } from './dom.ts';
import { epochView } from './epoch-view.ts';
import { figuresView } from './figures-view.ts';
import { clockTime } from './format.ts';
import { lookupView } from './lookup-view.ts';
import { MemberColors } from './member-colors.ts';
import { membersView } from './members-view.ts';
import { planView } from './plan-view.ts';
import { poll } from './poll.ts';

const byId = (id: string): HTMLElement => document.getElementById(id)!;
const [main, connection, alert] = [byId('main'), byId('connection'), byId('alert')];

const colors = new MemberColors();
const figures = figuresView();
const members = membersView(colors);
let admin = false;
const lookup = lookupView(colors, () => admin);
const plan = planView(colors);
const communities = communitiesView(colors, lookup.show);
const epoch = epochView(colors);
const authority = authorityView(colors);
const waiting = h('p', { class: 'card', id: 'waiting' }, 'Asking the cluster …');
const views = [
  figures.section,
  members.section,
  h('div', { class: 'columns' }, lookup.section, plan.section),
  communities.section,
  epoch.section,
  authority.section,
];
fill(main, waiting);

/** What the slower parts were loaded for; they change with the epoch only. */
let loaded = '';

poll({
  onStatus: (status) => {
    connection.className = 'connection live';
    connection.textContent = 'Live';
    fill(alert);
    byId('cluster').textContent = status.cluster;
    if (!status.ready) {
      fill(
        waiting,
        'The cluster has no placement table yet. The coordinator computes the first one after it has read the follow graph; this page shows it as soon as it is there.',
      );
      fill(main, waiting);
      return;
    }
    if (!figures.section.isConnected) fill(main, ...views);
    figures.update(status);
    members.update(status);
    admin = status.admin;
    void loadEpoch(status);
    void loadAuthority(status);
  },
  onSilence: (sinceMs) => {
    connection.className = 'connection lost';
    connection.textContent = 'No connection';
    fill(
      alert,
      h(
        'p',
        { class: 'banner' },
        h('strong', {}, `No connection to the API since ${clockTime(sinceMs)}.`),
        ' What stands here is what was known then. Trying again by itself …',
      ),
    );
  },
});

/** When membership was asked for last, and under which epoch. */
let authorityAsked = { key: '', atMs: 0 };

/** Members join and probes report between epochs too: asked for again after a while, in a page that is looked at. */
async function loadAuthority(status: Status): Promise<void> {
  const key = `${status.epoch} ${status.admin}`;
  const now = Date.now();
  if (authorityAsked.key === key && now - authorityAsked.atMs < AUTHORITY_FRESH_MS) return;
  authorityAsked = { key, atMs: now };
  await ask<Authority>(authority.path).then(authority.update, authority.showClosed);
}

/** Loads what belongs to the epoch when it is another one; what failed is asked for again with the next status. */
async function loadEpoch(status: Status): Promise<void> {
  const key = `${status.epoch} ${status.admin}`;
  if (loaded === key) return;
  loaded = key;
  const again = (error: unknown) => {
    // A refusal is an answer. Anything else may be better next time.
    if (!(error instanceof ApiProblem && error.status === 403)) loaded = '';
  };
  await Promise.all([
    ask<Epochs>(epoch.historyPath).then(epoch.showHistory).catch(again),
    ask<EpochDetail>('/v1/admin/epoch')
      .then(epoch.showDetail)
      .catch((error) => {
        epoch.showClosed(error);
        again(error);
      }),
    Promise.all([
      ask<{ communities: Community[] }>('/v1/admin/communities'),
      ask<CommunityGraph>('/v1/admin/graph'),
    ])
      .then(([list, graph]) => communities.update(list.communities, graph, status.members))
      .catch((error) => {
        communities.showClosed(error);
        again(error);
      }),
  ]);
}
