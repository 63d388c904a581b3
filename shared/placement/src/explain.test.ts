import assert from 'node:assert/strict';
import { test } from 'node:test';
import { buildGraph } from '@covey/graph';
import fc from 'fast-check';
import { PlacementExplainer } from './explain.ts';
import { explainMoves, type MovesProblem } from './explain-moves.ts';
import { measureGreedy } from './greedy-reader.ts';
import { noGroup, type PlacedGroup } from './problem.ts';

const members = Array.from({ length: 6 }, (_, i) => ({ id: `m${i}` }));
const group = (list: number[], more: Partial<PlacedGroup> = {}): PlacedGroup => ({
  members: list,
  copies: list.length,
  hub: false,
  pinned: false,
  accounts: 1,
  ...more,
});
const graphOf = (nodes: number, follows: readonly (readonly [number, number])[]) =>
  buildGraph(
    nodes,
    Uint32Array.from(follows, ([from]) => from),
    Uint32Array.from(follows, ([, to]) => to),
  );

/** The relays that a reader keeps open when one copy stood elsewhere and everything else stayed. */
function relaysAfter(
  open: Set<number>,
  rows: readonly (readonly number[])[],
  from: number,
  to: number,
): number {
  // `rows` are the reader's followees with the copy moved; `from` closes when nothing needs it any more.
  const covered = (set: Set<number>) => rows.every((row) => row.some((member) => set.has(member)));
  const without = new Set(open);
  without.delete(from);
  let best = covered(open) ? open.size : open.size + 1;
  if (covered(without)) best = Math.min(best, without.size);
  if (covered(new Set([...without, to]))) best = Math.min(best, new Set([...without, to]).size);
  return best;
}

test('alternatives cost what they would, reader by reader, everything else staying', () => {
  const nodes = 14;
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.nat(nodes - 1), fc.nat(nodes - 1)), { minLength: 20, maxLength: 90 }),
      fc.array(fc.uniqueArray(fc.nat(5), { minLength: 1, maxLength: 3 }), {
        minLength: nodes,
        maxLength: nodes,
      }),
      fc.nat(nodes - 1),
      (follows, rows, account) => {
        const graph = graphOf(nodes, follows);
        const groupOf = Uint32Array.from(rows.keys());
        const groups = rows.map((row) => group(row));
        const readers = Uint32Array.from(rows.keys());
        const explainer = new PlacementExplainer(graph, { groupOf, groups }, members, readers);
        const opened: Set<number>[] = [];
        const { fanout, connections } = measureGreedy(
          graph,
          readers,
          groupOf,
          rows,
          6,
          1,
          undefined,
          (r, isOpen) => {
            opened[r] = new Set([...isOpen.keys()].filter((member) => isOpen[member] === 1));
          },
        );
        assert.equal(explainer.fanout, fanout);
        const mean = connections.reduce((sum, load) => sum + load, 0) / 6;
        explainer.loads.forEach((load, i) => {
          assert.ok(Math.abs(load.connections - (mean > 0 ? connections[i] / mean : 0)) < 1e-9);
        });

        const fans = [...readers].filter((r) =>
          [...graph.targets.subarray(graph.offsets[r], graph.offsets[r + 1])].includes(account),
        );
        const { readers: count, open, holders, alternatives } = explainer.explain(account);
        assert.equal(count, fans.length);
        for (const { member, readers: with_ } of open)
          assert.equal(with_, fans.filter((r) => opened[r].has(member)).length);
        assert.deepEqual(
          holders.map(({ member }) => member),
          rows[account],
        );
        for (const { member, needed } of holders) {
          const sole = fans.filter(
            (r) => rows[account].filter((m) => opened[r].has(m)).join() === `${member}`,
          );
          assert.equal(needed, sole.length);
        }
        const costOf = (from: number, to: number): number => {
          let more = 0;
          for (const r of fans) {
            const held = [...graph.targets.subarray(graph.offsets[r], graph.offsets[r + 1])].map((v) =>
              v === account ? rows[v].map((m) => (m === from ? to : m)) : rows[v],
            );
            more += relaysAfter(opened[r], held, from, to) - opened[r].size;
          }
          return more;
        };
        // A copy that its reader has open beside another may close for other reasons too: the explainer counts what this copy decides.
        for (const { from, to, relays } of alternatives) {
          assert.equal(explainer.costOf(account, from, to), relays);
          assert.ok(costOf(from, to) <= relays, `${costOf(from, to)} ${relays}`);
        }
        const all = rows[account].flatMap((from) =>
          [0, 1, 2, 3, 4, 5]
            .filter((to) => !rows[account].includes(to))
            .map((to) => explainer.costOf(account, from, to)),
        );
        if (all.length > 0) assert.equal(alternatives[0].relays, Math.min(...all));
      },
    ),
    { numRuns: 60 },
  );
});

test('a small cluster explained by hand', () => {
  // 0 follows 1 (on 0) and 2 (on 1); 3 follows 2 and 4 (on 2).
  const graph = graphOf(5, [
    [0, 1],
    [0, 2],
    [3, 2],
    [3, 4],
  ]);
  const rows = [[5], [0], [1], [5], [2]];
  const explainer = new PlacementExplainer(
    graph,
    { groupOf: Uint32Array.from(rows.keys()), groups: rows.map((row) => group(row)) },
    members,
    Uint32Array.of(0, 3),
  );
  assert.equal(explainer.fanout, 2);
  assert.deepEqual(explainer.explain(2), {
    readers: 2,
    open: [
      { member: 1, readers: 2 },
      { member: 0, readers: 1 },
      { member: 2, readers: 1 },
    ],
    holders: [{ member: 1, readers: 2, needed: 2 }],
    alternatives: [
      { from: 1, to: 0, relays: -1 },
      { from: 1, to: 2, relays: -1 },
      { from: 1, to: 3, relays: 0 },
    ],
  });
  assert.deepEqual(explainer.explain(0), {
    readers: 0,
    open: [{ member: 5, readers: 0 }],
    holders: [{ member: 5, readers: 0, needed: 0 }],
    alternatives: [0, 1, 2].map((to) => ({ from: 5, to, relays: 0 })),
  });
});

test('moves are counted by the first reason that fits, and by member', () => {
  // Readers 0 and 1 follow everybody; account 7 is best where 6 is, at member 1.
  const follows = [0, 1].flatMap((reader) =>
    [2, 3, 4, 5, 6, 7, 8, 9].map((to): [number, number] => [reader, to]),
  );
  const graph = graphOf(12, follows);
  const now = members.map((member, i) => ({
    ...member,
    ...(i === 3 && { draining: true }),
    ...(i === 2 && { denied: (account: number) => account === 4 }),
  }));
  const before = [[0], [0], ['gone'], [3], [2], [4], [1], [4], [4], [0], [0], [0]].map((row) =>
    row.map(String),
  );
  const ids = ['m0', 'm1', 'm2', 'm3', 'm4', 'gone'];
  const rows = [[0], [0], [0], [0], [0], [5], [1], [1], [2], [1], [0], [4]];
  const groups = rows.map((row, account) =>
    group(row, { pinned: account === 8, ...(account === 11 && { hashed: true as const }) }),
  );
  const groupOf = Uint32Array.from(rows.keys());
  const problem: MovesProblem = {
    previous: {
      groupOf: Uint32Array.from(rows.keys(), (account) => (account === 10 ? noGroup : account)),
      groups: before.map((row) => ({
        members: row.map((name) => (name === 'gone' ? 5 : Number(name))),
        copies: 1,
      })),
      members: ids,
    },
    placement: { groupOf, groups, shortfalls: [] },
    members: now,
    pins: new Map([[8, [2]]]),
    explainer: new PlacementExplainer(graph, { groupOf, groups }, now, Uint32Array.of(0, 1)),
    explained: (account) => account,
    gone: 3,
  };
  const moves = explainMoves(problem);
  assert.deepEqual(moves.byReason, {
    new: 1,
    gone: 3,
    'member left': 1,
    'member draining': 1,
    denial: 1,
    pin: 1,
    trust: 1,
    'member joined': 1,
    readers: 1,
    balance: 1,
  });
  assert.equal(moves.accounts, 8);
  assert.deepEqual(moves.byMember[0], { came: 3, left: 2 });
  assert.deepEqual(moves.byMember[1], { came: 2, left: 0 });
  const first = explainMoves({ ...problem, previous: undefined });
  assert.equal(first.accounts, 0);
  assert.equal(first.byReason.new, 11);
});
