import { accountWhy } from './account-why.ts';
import { type AccountDetail, ApiProblem, ask, explain, type Placement, type RelayRef } from './api.ts';
import { card, fill, h } from './dom.ts';
import { count } from './format.ts';
import { keyForm } from './key-form.ts';
import type { MemberColors } from './member-colors.ts';

/** Where an account lives, and why; to admins also what its readers say to that. */
export function lookupView(colors: MemberColors, isAdmin: () => boolean) {
  const { section, body } = card('lookup', 'Where does an account live?');
  const form = keyForm({
    id: 'lookup-key',
    label: 'Public key of the account',
    button: 'Look up',
    submit: async (key) => {
      const path = encodeURIComponent(key);
      const [placement, why] = await Promise.all([
        ask<Placement>(`/v1/placements/${path}`),
        isAdmin() ? ask<AccountDetail>(`/v1/admin/accounts/${path}`).catch(asError) : undefined,
      ]);
      return [...describe(placement, colors), ...(why ? whyOf(why, colors) : [])];
    },
  });
  fill(body, form.form, form.answer);
  /** Looks a key up as if it had been typed, and goes there. */
  const show = (npub: string) => {
    form.input.value = npub;
    void form.ask(npub);
    section.scrollIntoView({ behavior: 'smooth', block: 'start' });
    form.input.focus({ preventScroll: true });
  };
  return { section, show };
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}

/** Without a database or a report there is no why: that is said, and the rest stands. */
function whyOf(why: AccountDetail | Error, colors: MemberColors): Node[] {
  if (!(why instanceof Error)) return accountWhy(why, colors);
  if (why instanceof ApiProblem && why.status === 403) return [];
  return [h('p', { class: 'muted' }, explain(why))];
}

function describe(placement: Placement, colors: MemberColors): Node[] {
  const { source, group, hub, master, replicas, readCopies, epoch, move } = placement;
  const why = {
    table: `Group ${count(group)} of the table lists it${hub ? ': a hub, so it has extra read copies' : ', with accounts that its readers also follow'}.`,
    pin: `Its own relay list names members of this cluster, so it is pinned there (group ${count(group)}).`,
    slot: `No group lists it, so the hash of its key decides: slot ${count(group)} of 4,096. Anyone can compute this from the member list alone.`,
  }[source];
  const row = (role: string, { id, url }: RelayRef) =>
    h(
      'li',
      {},
      colors.swatch(id),
      h('span', { class: 'role' }, role),
      h('span', { class: 'where' }, h('strong', { dir: 'auto' }, colors.name(id)), ' ', h('small', {}, url)),
    );
  return [
    h(
      'ol',
      { class: 'relays' },
      row('Master', master),
      ...replicas.map((relay) => row('Replica', relay)),
      ...readCopies.map((relay) => row('Read copy', relay)),
    ),
    h('p', {}, why, move ? ` The group is moving (${move.phase}).` : ''),
    h('p', { class: 'fine' }, `Epoch ${epoch}. Clients write to master and replicas, and read from any.`),
  ];
}
