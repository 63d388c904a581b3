import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { seededRng } from '@covey/graph';
import { Liveness } from './liveness.ts';
import { TestingNetwork } from './testing-network.ts';

/** Members that hold `id` dead. */
const knowDead = (net: TestingNetwork, id: string) =>
  net.running.filter((other) => {
    const { dead, absent } = net.node(other).liveness.verdicts;
    return dead.includes(id) || absent.includes(id);
  });
const allWell = (net: TestingNetwork) =>
  net.running.every((id) => {
    const { suspect, returning, dead, absent } = net.node(id).liveness.verdicts;
    return [suspect, returning, dead, absent].every((list) => list.length === 0);
  });

/** Milliseconds until every other member knows of the death of one, for so many seeds, ascending. */
function detectionMs(size: number, seeds: number, silently: boolean): number[] {
  const times: number[] = [];
  for (let seed = 0; seed < seeds; seed++) {
    const net = new TestingNetwork(size, seededRng(seed));
    net.run(5000 + seed * 7);
    const victim = net.ids[seed % size]!;
    const killedAtMs = net.nowMs;
    net.kill(victim, silently);
    assert.ok(
      net.run(60_000, () => knowDead(net, victim).length === size - 1),
      `seed ${seed}`,
    );
    times.push(net.nowMs - killedAtMs);
  }
  return times.sort((a, b) => a - b);
}

describe('a death', () => {
  for (const [size, seeds] of [
    [2, 50],
    [3, 100],
    [7, 200],
    [50, 20],
  ] as const)
    it(`of one of ${size} is known to all within 5 s, though nothing tells of it`, () => {
      const times = detectionMs(size, seeds, true);
      const [median, last] = [times[times.length >> 1]!, times[Math.ceil(times.length * 0.99) - 1]!];
      console.log(`${size} members: median ${Math.round(median)} ms, 99th percentile ${Math.round(last)} ms`);
      assert.ok(last <= 5000, `${last}`);
    });

  it('is known sooner where its connections break', () => {
    const times = detectionMs(7, 100, false);
    assert.ok(times[98]! <= 3000, `${times[98]}`);
  });

  it('is forgotten when it comes back, and it catches up before it serves', () => {
    const net = new TestingNetwork(5, seededRng(1));
    const victim = net.ids[2]!;
    net.run(3000);
    net.kill(victim, false);
    assert.ok(net.run(10_000, () => knowDead(net, victim).length === 4));
    let returning = 0;
    net.start(victim);
    net.run(20_000, () => {
      for (const id of net.running) {
        const { verdicts } = net.node(id).liveness;
        if (id !== victim && verdicts.returning.includes(victim)) returning++;
      }
      return allWell(net);
    });
    assert.ok(allWell(net));
    assert.ok(returning > 0, 'the others knew that it catches up');
    assert.deepEqual(net.node(victim).catchUps, [], 'it knew by itself that it starts');
  });
});

describe('members that live', () => {
  it('are not declared dead a moment after they were heard', () => {
    const liveness = new Liveness({ self: 'a', incarnation: 0, serving: true, nowMs: 0, random: () => 0.5 });
    const told = new Map<string, number>();
    const step = (nowMs: number, input: Parameters<Liveness['step']>[1]) => {
      for (const { type } of liveness.step(nowMs, input)) if (!told.has(type)) told.set(type, nowMs);
    };
    step(0, { type: 'members', members: ['a', 'b'] });
    // Its answers go astray; then its own probe arrives.
    for (let nowMs = 10; nowMs < 6000; nowMs += 10) {
      step(nowMs, { type: 'tick' });
      if (nowMs === told.get('suspect')! + 1000)
        step(nowMs, { type: 'probe', from: 'b', seq: 1, rumours: [] });
    }
    const heardAtMs = told.get('suspect')! + 1000;
    assert.equal(told.get('dead'), heardAtMs + 1000);
  });

  it('are not declared dead where one message in twenty is lost', () => {
    const net = new TestingNetwork(7, seededRng(3));
    net.loss = 0.05;
    const isDead = () => net.running.some((id) => net.node(id).liveness.verdicts.dead.length > 0);
    assert.equal(net.run(600_000, isDead), false);
  });

  it('are alive for those that reach them only through others', () => {
    const net = new TestingNetwork(5, seededRng(4));
    const [a, b] = net.ids as [string, string];
    net.passes = (from, to) => !((from === a && to === b) || (from === b && to === a));
    const isDead = () => net.running.some((id) => net.node(id).liveness.verdicts.dead.length > 0);
    assert.equal(net.run(120_000, isDead), false);
  });

  it('refute what is said of them', () => {
    const net = new TestingNetwork(5, seededRng(5));
    net.run(3000);
    const [liar, victim, other] = net.ids as [string, string, string];
    const { incarnation } = net.node(victim).liveness;
    const rumours = [{ member: victim, status: 'dead' as const, incarnation, by: [] }];
    net.node(other).liveness.step(net.nowMs, { type: 'ack', from: liar, seq: 99, rumours });
    net.run(10_000);
    assert.ok(allWell(net));
    assert.ok(net.node(victim).liveness.incarnation > incarnation);
  });

  it('do not believe an incarnation that nobody can have', () => {
    const net = new TestingNetwork(3, seededRng(6));
    const [liar, victim, other] = net.ids as [string, string, string];
    const rumours = [
      { member: victim, status: 'dead' as const, incarnation: Number.MAX_SAFE_INTEGER - 1, by: [] },
    ];
    net.node(other).liveness.step(net.nowMs, { type: 'ack', from: liar, seq: 99, rumours });
    assert.ok(allWell(net));
  });
});

describe('a member that stood still', () => {
  it('steps down at once when it goes on, and serves again when it has caught up', () => {
    const net = new TestingNetwork(5, seededRng(7));
    net.run(5000);
    const victim = net.ids[0]!;
    net.pause(victim);
    assert.ok(net.run(10_000, () => knowDead(net, victim).length === 4));
    net.run(5000);
    net.resume(victim);
    assert.ok(net.node(victim).catchUps.length > 0);
    assert.ok(net.node(victim).liveness.verdicts.returning.includes(victim));
    assert.equal(
      net.run(30_000, () => allWell(net)),
      true,
    );
  });

  it('tells nobody of deaths from before as if they were news', () => {
    for (let seed = 0; seed < 10; seed++) {
      const net = new TestingNetwork(7, seededRng(seed));
      const [sleeper, near, far] = net.ids as [string, string, string];
      // Two that hear of each other through others alone: they can't tell by their own ears that the news is old.
      const isCut = (a: string, b: string) => (a === near && b === far) || (a === far && b === near);
      net.passes = (from, to) => !isCut(from, to);
      net.run(5000);
      net.passes = (from, to) => !isCut(from, to) && from !== sleeper && to !== sleeper;
      assert.ok(net.run(20_000, () => net.node(sleeper).liveness.verdicts.dead.length === 6));
      net.pause(sleeper);
      net.passes = (from, to) => !isCut(from, to);
      net.run(20_000);
      net.resume(sleeper);
      const saysDead = () =>
        net.ids.some(
          (id) => id !== sleeper && net.node(id).liveness.verdicts.dead.some((other) => other !== sleeper),
        );
      assert.equal(net.run(20_000, saysDead), false, `seed ${seed}`);
      assert.ok(
        net.run(30_000, () => allWell(net)),
        `seed ${seed}`,
      );
    }
  });

  it('and that it was told so again and again takes its roles back later each time', () => {
    let now = 1_800_000_000_000;
    const [self, other] = ['a'.repeat(64), 'b'.repeat(64)];
    const liveness = new Liveness({ self, incarnation: 1, serving: true, nowMs: now, random: () => 0.5 });
    const step = (input: Parameters<Liveness['step']>[1]) => liveness.step(now, input);
    step({ type: 'members', members: [self, other] });
    const waits: number[] = [];
    for (let i = 0; i < 4; i++) {
      const rumours = [{ member: self, status: 'dead' as const, incarnation: liveness.incarnation, by: [] }];
      const start = now;
      step({ type: 'ack', from: other, seq: 0, rumours });
      step({ type: 'caught up' });
      while (liveness.verdicts.returning.includes(self)) {
        now = Math.min(liveness.wakeAtMs, now + 1000);
        step({ type: 'tick' });
      }
      waits.push(now - start);
    }
    assert.deepEqual(waits, [2000, 4000, 8000, 16_000]);
  });
});

describe('a partition', () => {
  it('leaves the smaller side without a majority, so that nobody is absent for it; it heals', () => {
    const net = new TestingNetwork(7, seededRng(8), { absentMs: 10_000 });
    const minority = new Set(net.ids.slice(0, 3));
    net.run(20_000);
    net.passes = (from, to) => minority.has(from) === minority.has(to);
    net.run(30_000, () => {
      for (const id of minority) assert.deepEqual(net.node(id).liveness.verdicts.absent, []);
      return false;
    });
    for (const id of net.ids) {
      const { dead, absent, majority } = net.node(id).liveness.verdicts;
      assert.equal(majority, !minority.has(id));
      assert.equal(dead.length + absent.length, minority.has(id) ? 4 : 3);
      assert.equal(absent.length, minority.has(id) ? 0 : 3);
    }
    net.passes = () => true;
    assert.ok(net.run(120_000, () => allWell(net)));
  });
});

it('the same inputs give the same outputs', () => {
  const run = () => {
    const net = new TestingNetwork(6, seededRng(9));
    net.loss = 0.1;
    net.run(20_000);
    net.kill(net.ids[1]!, true);
    net.run(20_000);
    return net.ids.map(
      (id) => JSON.stringify(net.node(id).liveness.verdicts) + net.node(id).liveness.wakeAtMs,
    );
  };
  assert.deepEqual(run(), run());
});
