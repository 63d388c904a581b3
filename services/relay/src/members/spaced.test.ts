import assert from 'node:assert/strict';
import { mock, test } from 'node:test';
import { Spaced } from './spaced.ts';

test('the first is done at once, the next ones together, at their part of the time', () => {
  mock.timers.enable({ apis: ['setTimeout'] });
  try {
    let now = 0;
    let costMs = 2;
    const runs: number[] = [];
    const pass = (ms: number) => {
      now += ms;
      mock.timers.tick(ms);
    };
    const spaced = new Spaced({
      work: () => {
        runs.push(now);
        now += costMs;
      },
      everyMs: 20,
      part: 0.05,
      clock: () => now,
    });
    spaced.request();
    assert.deepEqual(runs, [0]);
    for (let i = 0; i < 10; i++) {
      pass(1);
      spaced.request();
    }
    assert.deepEqual(runs, [0], 'a burst waits');
    pass(40);
    assert.equal(runs.length, 2, 'and is done once');
    pass(100);
    spaced.request();
    assert.equal(runs.length, 3, 'after quiet it is at once again');
    costMs = 0;
    pass(41);
    spaced.request();
    spaced.request();
    assert.equal(runs.length, 4);
    spaced.stop();
    pass(100);
    assert.equal(runs.length, 4);
  } finally {
    mock.timers.reset();
  }
});
