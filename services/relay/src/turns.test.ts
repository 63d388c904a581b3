import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Turns, WHOLE_TURN } from './turns.ts';

const tick = () => new Promise((resolve) => setImmediate(resolve));

describe('turns', () => {
  const setup = (waitingMax = 1000) => {
    const turns = new Turns();
    const log: string[] = [];
    const line = (name: string) => {
      const made = turns.line(
        { waitingMax, bytesMax: 1000 },
        { pause: () => log.push(`${name} paused`), resume: () => log.push(`${name} resumed`) },
      );
      return {
        ...{ made },
        add: (n: number, weight = 1, bytes = 0) => made.add(() => log.push(`${name}${n}`), weight, bytes),
      };
    };
    return { turns, log, line };
  };

  it('let a quiet connection in between the messages of one that floods', async () => {
    const { log, line } = setup();
    const flood = line('f');
    const quiet = line('q');
    for (let n = 0; n < 500; n++) flood.add(n, WHOLE_TURN);
    quiet.add(0);
    await tick();
    assert.ok(log.indexOf('q0') >= 0 && log.indexOf('q0') <= 4, `q0 came after ${log.indexOf('q0')}`);
    assert.ok(log.length <= 6, `${log.length} pieces of work in one tick`);
    quiet.add(1);
    await tick();
    assert.ok(log.includes('q1') && log.length <= 12);
  });

  it('keep the order of each connection and lose nothing', async () => {
    const { log, line } = setup();
    const lines = ['a', 'b', 'c'].map(line);
    for (let n = 0; n < 1000; n++) for (const each of lines) each.add(n);
    while (log.filter((entry) => !entry.includes(' ')).length < 3000) await tick();
    for (const name of ['a', 'b', 'c'])
      assert.deepEqual(
        log.filter((entry) => entry.startsWith(name) && !entry.includes(' ')),
        Array.from({ length: 1000 }, (_, n) => `${name}${n}`),
      );
  });

  it('stop reading a connection that has too much waiting, and go on when half is done', async () => {
    const { log, line } = setup(10);
    const { add, made } = line('x');
    for (let n = 0; n < 12; n++) add(n, WHOLE_TURN);
    assert.deepEqual(log, ['x paused']);
    while (made.waiting > 0) await tick();
    assert.equal(log.indexOf('x resumed'), 8, 'resumed with 5 of 12 left');
    for (let n = 0; n < 3; n++) add(n, 1, 400);
    assert.deepEqual(log.slice(-1), ['x paused']);
    while (made.waiting > 0) await tick();
    assert.deepEqual(log.slice(-1), ['x resumed']);
  });

  it('hold a line until it is released', async () => {
    const { log, line } = setup();
    const { add, made } = line('h');
    made.hold();
    add(1);
    await tick();
    assert.deepEqual(log, []);
    made.release();
    await tick();
    assert.deepEqual(log, ['h1']);
  });

  it('stop', async () => {
    const { turns, log, line } = setup();
    line('s').add(1);
    turns.stop();
    await tick();
    await tick();
    assert.deepEqual(log, []);
  });
});
