import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Progress, type Terminal } from './progress.ts';

function terminal(rewrites: boolean): Terminal & { text: string } {
  return {
    text: '',
    rewrites,
    colours: false,
    columns: 60,
    write(text) {
      this.text += text;
    },
  };
}

test('where lines stay, a step is told when done, with how long it took', () => {
  const out = terminal(false);
  let nowMs = 0;
  const progress = new Progress(out, () => nowMs);
  progress.begin('graph');
  progress.update('graph', '10,000 accounts');
  nowMs = 4_210;
  progress.done('graph', '29,827 accounts');
  progress.end();
  assert.equal(out.text, '✓ graph: 29,827 accounts · 4.2 s\n');
});

test('what takes long is mentioned now and then, or shown in a line that moves', (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] });
  for (const rewrites of [false, true]) {
    const out = terminal(rewrites);
    let nowMs = 0;
    const progress = new Progress(out, () => nowMs);
    progress.begin('coordinator');
    progress.update('coordinator', 'reading');
    nowMs = 12_000;
    t.mock.timers.tick(200);
    t.mock.timers.tick(200);
    progress.end();
    if (rewrites) assert.ok(out.text.startsWith('… coordinator: reading (12 s)\r\x1b[2K'), out.text);
    else assert.equal(out.text, '… coordinator: reading (12 s)\n');
  }
});

test('the line that moves never wraps', (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] });
  const out = terminal(true);
  const progress = new Progress(out, () => 0);
  progress.begin('a', 'x'.repeat(200));
  t.mock.timers.tick(200);
  assert.equal(out.text.length, 59);
  progress.end();
});
