import { explain } from './api.ts';
import { fill, h } from './dom.ts';

/** A box for a key with a button; `answer` shows what comes of it, and is read out. */
export function keyForm({
  id,
  label,
  button,
  extra,
  submit,
}: {
  id: string;
  label: string;
  button: string;
  extra?: HTMLElement;
  submit: (key: string) => Promise<(Node | string)[]>;
}) {
  const input = h('input', {
    id,
    name: id,
    type: 'text',
    required: true,
    placeholder: 'npub1…',
    autocomplete: 'off',
    autocapitalize: 'off',
    spellcheck: 'false',
    maxlength: 1100,
  });
  const answer = h('div', { class: 'answer', 'aria-live': 'polite', id: `${id}-answer` });
  const go = h('button', { type: 'submit' }, button);
  let turn = 0;
  const ask = async (key: string) => {
    const mine = ++turn;
    if (/nsec1/i.test(key)) {
      input.value = '';
      return fill(
        answer,
        h(
          'p',
          { class: 'problem' },
          'That was a secret key (nsec). It was not sent, and is gone from this page. Never paste it anywhere; paste the npub.',
        ),
      );
    }
    answer.setAttribute('aria-busy', 'true');
    const content = await submit(key).catch((error) => [h('p', { class: 'problem' }, explain(error))]);
    if (mine !== turn) return; // a later question overtook this one
    answer.removeAttribute('aria-busy');
    fill(answer, ...content);
  };
  const form = h(
    'form',
    {
      class: 'key-form',
      onsubmit: (event: SubmitEvent) => {
        event.preventDefault();
        void ask(input.value.trim());
      },
    },
    h('label', { for: id }, label),
    h('div', { class: 'field' }, input, go),
    extra,
  );
  return { form, answer, input, ask };
}
