import { ask, type Placement, type RelayRef } from './api.ts';
import { card, fill, h } from './dom.ts';
import { count } from './format.ts';
import { keyForm } from './key-form.ts';
import type { MemberColors } from './member-colors.ts';

/** Where an account lives, and why. */
export function lookupView(colors: MemberColors) {
  const { section, body } = card('lookup', 'Where does an account live?');
  const form = keyForm({
    id: 'lookup-key',
    label: 'Public key of the account',
    button: 'Look up',
    submit: async (key) =>
      describe(await ask<Placement>(`/v1/placements/${encodeURIComponent(key)}`), colors),
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
