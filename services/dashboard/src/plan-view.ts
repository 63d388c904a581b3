import { ask, type Plan } from './api.ts';
import { bar, card, fill, h } from './dom.ts';
import { count, plural } from './format.ts';
import { keyForm } from './key-form.ts';
import type { MemberColors } from './member-colors.ts';

/** Which relays a client opens to read everyone that an account follows. */
export function planView(colors: MemberColors) {
  const { section, body } = card('plan', 'Which relays to open?');
  const most = h('input', {
    id: 'plan-max',
    type: 'number',
    min: 1,
    max: 65535,
    inputmode: 'numeric',
    placeholder: 'no limit',
  });
  const form = keyForm({
    id: 'plan-key',
    label: 'To read everyone that this account follows',
    button: 'Make a plan',
    extra: h('div', { class: 'option' }, h('label', { for: 'plan-max' }, 'Relays at most'), most),
    submit: async (key) => {
      const maxRelays = Number(most.value) || undefined;
      return describe(
        await ask<Plan>('/v1/plans', { follows: key, ...(maxRelays ? { maxRelays } : {}) }),
        colors,
      );
    },
  });
  fill(body, form.form, form.answer);
  return { section };
}

function describe({ relays, uncovered, pubkeys, epoch }: Plan, colors: MemberColors): Node[] {
  const follows = pubkeys?.length ?? 0;
  const served = follows - uncovered.length;
  const most = Math.max(1, ...relays.map((relay) => relay.pubkeys.length));
  return [
    h(
      'p',
      { class: 'result' },
      h('strong', {}, plural(relays.length, 'relay')),
      ` ${relays.length === 1 ? 'serves' : 'serve'} `,
      h(
        'strong',
        {},
        served === follows
          ? `all ${plural(follows, 'account')}`
          : `${count(served)} of ${plural(follows, 'account')}`,
      ),
      ' that it follows.',
    ),
    h(
      'ol',
      { class: 'relays' },
      ...relays.map(({ id, url, pubkeys: keys }) =>
        h(
          'li',
          {},
          colors.swatch(id),
          h(
            'span',
            { class: 'where' },
            h('strong', { dir: 'auto' }, colors.name(id)),
            ' ',
            h('small', {}, url),
          ),
          bar(keys.length / most, colors.className(id)),
          h('span', { class: 'amount' }, plural(keys.length, 'account')),
        ),
      ),
    ),
    h(
      'p',
      { class: 'fine' },
      uncovered.length > 0 ? `${plural(uncovered.length, 'account')} would need further relays. ` : '',
      `Epoch ${epoch}. The same plan: POST /v1/plans, or covey plan --follows.`,
    ),
  ];
}
