import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, mock, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { seededRng } from '@covey/graph';
import { Command } from 'commander';
import { registerCommunities } from './communities.ts';
import { registerEvaluate } from './evaluate.ts';
import { registerPlace } from './place.ts';

const dir = mkdtempSync(join(tmpdir(), 'covey-files-'));
after(() => rmSync(dir, { recursive: true }));
const file = (name: string, content: string | Uint8Array): string => {
  writeFileSync(join(dir, name), content);
  return join(dir, name);
};

/** Communities of 30 that also follow a few hubs. */
const rng = seededRng('files');
const follows: string[] = ['# a comment'];
for (let u = 0; u < 300; u++)
  for (let i = 0; i < 8; i++) {
    const near = u - (u % 30) + Math.floor(rng() * 30);
    follows.push(`user${u}\tuser${rng() < 0.8 ? near : Math.floor(rng() * 6)}`);
  }
const graph = file('follows.txt.gz', gzipSync(follows.join('\n')));

/** Runs a command in this process: what it printed, its exit code and its complaint. */
async function covey(...args: string[]): Promise<{ out: string; err: string; code: number }> {
  const out: string[] = [];
  const err: string[] = [];
  const before = process.exitCode;
  process.exitCode = 0;
  const log = mock.method(console, 'log', (text: string) => out.push(text));
  const stderr = mock.method(process.stderr, 'write', (text: string) => err.push(text) > 0);
  const program = new Command('covey').exitOverride();
  registerPlace(program);
  registerEvaluate(program);
  registerCommunities(program);
  for (const command of program.commands)
    command.exitOverride().configureOutput({ writeErr: (text) => err.push(text) });
  try {
    await program.parseAsync(args, { from: 'user' });
  } catch (error) {
    process.exitCode = (error as { exitCode?: number }).exitCode === 0 ? 0 : 64;
  } finally {
    log.mock.restore();
    stderr.mock.restore();
  }
  const code = Number(process.exitCode);
  process.exitCode = before;
  return { out: out.join('\n'), err: err.join(''), code };
}

const figures = [
  'fanout',
  'fanoutP95',
  'fanoutMaster',
  'fanoutPair',
  'sockets',
  'copiesPerUser',
  'copiesBalance',
  'connectionBalance',
  'readBalance',
  'masterBalance',
  'hubRelays',
];

describe('covey place, evaluate, communities', () => {
  const placement = join(dir, 'placement.tsv');
  const common = ['--graph', graph, '--members', '6', '--effort', 'quick'];

  test('place writes every account, master first, and prints every figure; evaluate says the same', async () => {
    const { out, code, err } = await covey('place', ...common, '--out', placement, '--json');
    assert.equal(code, 0, err);
    const placed = JSON.parse(out);
    for (const name of [...figures, 'peakBytes', 'communities', 'groups', 'modularity', 'accounts'])
      assert.equal(typeof placed[name], 'number', name);
    assert.deepEqual(Object.keys(placed.ms), [
      'read',
      'trust',
      'detect',
      'place',
      'write',
      'evaluate',
      'total',
    ]);
    assert.ok(placed.copiesPerUser > 3 && placed.copiesPerUser <= 3.3 && placed.accounts === 300);
    const rows = readFileSync(placement, 'utf8').trim().split('\n');
    assert.equal(rows.length, 300);
    for (const row of rows) assert.match(row, /^user\d+(\tmember-[1-6]){3,6}$/);

    const again = JSON.parse(
      (await covey('evaluate', '--graph', graph, '--placement', placement, '--members', '6', '--json')).out,
    );
    for (const name of figures) assert.equal(again[name], placed[name], name);
    const priced = JSON.parse(
      (await covey('evaluate', '--graph', graph, '--placement', placement, '--reader', 'priced', '--json'))
        .out,
    );
    assert.equal(priced.reader, 'priced');
    assert.ok(priced.fanout <= placed.fanout + 1e-9);
  });

  test('--extra-copies 0 is exactly --copies each; a placement to start from hardly moves; seeds decide who is placed', async () => {
    const plain = join(dir, 'plain.tsv');
    const first = JSON.parse(
      (await covey('place', ...common, '--extra-copies', '0', '--out', plain, '--json')).out,
    );
    assert.equal(first.copiesPerUser, 3);
    const next = JSON.parse(
      (await covey('place', ...common, '--extra-copies', '0', '--previous', plain, '--json')).out,
    );
    assert.ok(next.moved <= 0.1, `${next.moved}`);
    const seeds = file('seeds.txt', '# trusted\nuser1\nuser2\nnobody\n');
    const trusted = JSON.parse(
      (await covey('place', ...common, '--seeds', seeds, '--trust-accounts', '100', '--json')).out,
    );
    const { readers, placed, ...rest } = trusted.trust;
    assert.deepEqual(rest, { basis: 'seeds', seeds: 2, unknownSeeds: 1 });
    assert.ok(readers > 0 && readers <= placed && placed < 300, `${readers} ${placed}`);
    assert.equal(trusted.unplaced, 0);
    const pins = file('pins.tsv', 'user7\tmember-2\nuser8\tmember-9\n');
    const pinned = join(dir, 'pinned.tsv');
    const { out } = await covey('place', ...common, '--pins', pins, '--out', pinned, '--json');
    assert.deepEqual([JSON.parse(out).pins, JSON.parse(out).pinsUnknown], [1, 1]);
    assert.match(readFileSync(pinned, 'utf8'), /^user7\tmember-2\t/m);
  });

  test('communities of every account', async () => {
    const tsv = join(dir, 'communities.tsv');
    const { out, code } = await covey('communities', '--graph', graph, '--out', tsv, '--json');
    assert.equal(code, 0);
    assert.ok(JSON.parse(out).communities >= 5 && JSON.parse(out).modularity > 0.3);
    assert.match(readFileSync(tsv, 'utf8'), /^(user\d+\t\d+\n){300}$/);
  });

  const members = file('members.json', '[{"id":"a"},{"id":"b"},{"id":"c"}]');
  const wrong: [string, string[], number, RegExp][] = [
    [
      'no such file',
      ['place', '--graph', join(dir, 'absent'), '--members', '5', '--json'],
      65,
      /absent: no such file/,
    ],
    [
      'half a line',
      ['place', '--graph', file('half.txt', 'a b\nc\n'), '--members', '5', '--json'],
      65,
      /half\.txt: line 2: needs two tokens/,
    ],
    [
      'cut gzip',
      ['communities', '--graph', file('cut.gz', gzipSync('a b\n'.repeat(500)).subarray(0, 30)), '--json'],
      65,
      /gzip data is damaged/,
    ],
    [
      'members that are none',
      [
        'place',
        '--graph',
        graph,
        '--members',
        file('bad.json', '[{"id":"a","capacity":{"copies":-1}}]'),
        '--json',
      ],
      65,
      /member 1: capacity "copies"/,
    ],
    [
      'members that are not JSON',
      ['place', '--graph', graph, '--members', file('not.json', 'a, b'), '--json'],
      65,
      /not JSON .*Give a number/,
    ],
    [
      'too few members',
      ['place', '--graph', graph, '--members', '2', '--json'],
      65,
      /3 copies need 3 usable members .*1 short/,
    ],
    ['nothing to do', ['place', '--graph', graph, '--members', '5'], 65, /give --out FILE, --json, or both/],
    [
      'an unknown member',
      ['evaluate', '--graph', graph, '--placement', file('p.tsv', 'user1\ta\tb\tz\n'), '--members', members],
      65,
      /p\.tsv: names member z/,
    ],
    [
      'an account twice',
      ['evaluate', '--graph', graph, '--placement', file('t.tsv', 'user1\ta\nuser1\tb\n')],
      65,
      /line 2: account user1 stands twice/,
    ],
    [
      'seeds that nobody knows',
      ['place', '--graph', graph, '--members', '5', '--seeds', file('none.txt', 'x\n'), '--json'],
      65,
      /none of its 1 accounts is in the graph/,
    ],
    [
      'an option out of range',
      ['place', '--graph', graph, '--members', '5', '--copies', '0'],
      64,
      /whole number from 1 to 255/,
    ],
    ['an option missing', ['place', '--members', '5'], 64, /--graph/],
  ];
  for (const [name, args, exit, message] of wrong)
    test(`refuses ${name}, with what to do`, async () => {
      const { code, err } = await covey(...args);
      assert.equal(code, exit, err);
      assert.match(err, message);
    });

  test('--help has examples', async () => {
    for (const name of ['place', 'evaluate', 'communities']) {
      const program = new Command('covey');
      registerPlace(program);
      registerEvaluate(program);
      registerCommunities(program);
      let help = '';
      const command = program.commands.find((one) => one.name() === name)!;
      command.configureOutput({ writeOut: (text) => (help += text) }).outputHelp();
      assert.match(help, /Examples:\n +covey /);
      assert.match(help, /Exit codes/);
    }
  });
});
