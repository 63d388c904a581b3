import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { npubEncode } from '@covey/nostr';
import { noteEncode } from 'nostr-tools/nip19';
import { DatabaseUnavailableError } from '../../services/api/src/cluster-reader.ts';
import { MemberStates } from '../../services/api/src/member-states.ts';
import { ApiServer } from '../../services/api/src/server.ts';
import { clusterFixture, MemoryTableSource } from '../../services/api/src/testing/cluster-fixture.ts';
import { explanationsFixture, reportFixture } from '../../services/api/src/testing/report-fixture.ts';
import { freePort, temporaryDirectory } from '../support/servers.ts';

const COMMANDS = fileURLToPath(new URL('../../services/cli/src/commands/', import.meta.url));
/** A program of these commands only, run as a process of its own. */
const PROGRAM = `
import { Command } from ${JSON.stringify(import.meta.resolve('commander'))};
import { registerEpochs } from '${COMMANDS}epochs.ts';
import { registerExplain } from '${COMMANDS}explain.ts';
import { registerLookup } from '${COMMANDS}lookup.ts';
import { registerPlan } from '${COMMANDS}plan.ts';
import { registerStatus } from '${COMMANDS}status.ts';
const program = new Command('covey').exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : 64));
registerEpochs(program);
registerExplain(program);
registerLookup(program);
registerPlan(program);
registerStatus(program);
await program.parseAsync(process.argv.slice(1), { from: 'user' });
`;

interface Outcome {
  code: number;
  out: string;
  err: string;
}

describe('covey lookup, plan and status', () => {
  const fixture = clusterFixture({ hub: true });
  const source = new MemoryTableSource();
  const dir = temporaryDirectory('api-cli');
  let server: ApiServer;
  let url: string;

  before(async () => {
    server = new ApiServer({
      cluster: 'local',
      source,
      states: new MemberStates(Date.now),
      natsConfigured: false,
      admin: false,
      dashboardDir: '/nonexistent',
      log: { error() {}, info() {}, warn() {} },
    });
    url = await server.listen({ host: '127.0.0.1', port: 0 });
  });
  after(async () => {
    await server.close();
    rmSync(dir, { recursive: true, force: true });
  });

  function covey(
    args: string[],
    { env = {}, input = '' }: { env?: Record<string, string>; input?: string } = {},
  ) {
    return new Promise<Outcome>((resolve) => {
      const child = execFile(
        process.execPath,
        ['--input-type=module', '--eval', PROGRAM, '--', ...args],
        { env: { PATH: process.env['PATH'] ?? '', COVEY_HOME: dir, COVEY_API_URL: url, ...env } },
        (error, out, err) => resolve({ code: error ? Number(error.code) : 0, out, err }),
      );
      child.stdin!.end(input);
    });
  }

  test('before the first table: 75', async () => {
    const answers = await Promise.all([covey(['lookup', fixture.pubkeys[0]!]), covey(['status'])]);
    for (const { code } of answers) assert.equal(code, 75);
    assert.match(answers[0].err, /No placement table yet: .*Try again/);
    assert.match(answers[1].out, /no placement table yet/);
    source.set(fixture);
  });

  test('lookup', async () => {
    const npub = npubEncode(fixture.pubkeys[0]!);
    const people = await covey(['lookup', npub]);
    assert.equal(people.code, 0);
    assert.match(people.out, new RegExp(`account +${npub}\n`));
    assert.match(people.out, /why +group 4096 of the table, a hub \(epoch 1\)/);
    assert.match(people.out, /master {5}ws:\/\/127\.0\.0\.1:4601 {2}npub1/);
    assert.match(people.out, /read copy {2}ws:\/\/127\.0\.0\.1:4604/);
    const json = JSON.parse((await covey(['lookup', npub, '--json'])).out);
    assert.equal(json.pubkey, fixture.pubkeys[0]);
    const note = await covey(['lookup', noteEncode(fixture.pubkeys[0]!)]);
    assert.equal(note.code, 65);
    assert.match(note.err, /covey: note does not name an account; give an npub/);
    assert.equal((await covey(['lookup'])).code, 64);
  });

  test('plan: from arguments, a file, standard input', async () => {
    const [a, b] = [npubEncode(fixture.pubkeys[0]!), fixture.pubkeys[39]!];
    const file = join(dir, 'keys.txt');
    writeFileSync(file, `# whom I read\n${a}\n\n${b}\n`);
    const answers = await Promise.all([
      covey(['plan', a, b]),
      covey(['plan', '--file', file]),
      covey(['plan', '-'], { input: JSON.stringify([a, b]) }),
    ]);
    for (const { code, out } of answers) {
      assert.equal(code, 0);
      assert.match(out, /^1 relay for 2 accounts \(epoch 1\)\nws:\/\/127\.0\.0\.1:460\d {2}2 {2}accounts\n$/);
    }
    const json = JSON.parse(
      (await covey(['plan', ...fixture.pubkeys, '--max-relays', '1', '--copies', '2', '--json'])).out,
    );
    assert.equal(json.relays.length, 1);
    assert.ok(json.uncovered.length > 0);
  });

  test('plan: what cannot be used', async () => {
    const file = join(dir, 'bad.txt');
    writeFileSync(file, `${fixture.pubkeys[0]}\nhello\n`);
    const [nothing, both, bad, missing, follows] = await Promise.all([
      covey(['plan']),
      covey(['plan', fixture.pubkeys[0]!, '--follows', fixture.pubkeys[0]!]),
      covey(['plan', '--file', file]),
      covey(['plan', '--file', join(dir, 'none')]),
      covey(['plan', '--follows', fixture.pubkeys[0]!]),
    ]);
    assert.equal(nothing.code, 64);
    assert.equal(both.code, 64);
    assert.equal(bad.code, 65);
    assert.match(bad.err, /bad\.txt, entry 2: "hello" is not a key/);
    assert.equal(missing.code, 65);
    assert.equal(follows.code, 75);
    assert.match(follows.err, /"pubkeys" instead/);
  });

  test('explain and epochs show: where admin routes are open', async () => {
    const npub = npubEncode(fixture.pubkeys[0]!);
    const closed = await covey(['explain', npub]);
    assert.equal(closed.code, 77);
    assert.match(closed.err, /COVEY_ADMIN=open/);

    const stored = explanationsFixture(fixture);
    const away = async (): Promise<never> => {
      throw new DatabaseUnavailableError('away');
    };
    const admin = new ApiServer({
      cluster: 'local',
      source,
      states: new MemberStates(Date.now),
      reader: {
        followeesOf: away,
        authority: away,
        epochs: away,
        report: async (epoch) => ({ epoch: Math.min(1, epoch), report: reportFixture(fixture) }),
        explanation: async (pubkey) => {
          const account = stored.find((one) => one.pubkey === pubkey);
          return account && { epoch: 1, account };
        },
      },
      natsConfigured: false,
      admin: true,
      dashboardDir: '/nonexistent',
      log: { error() {}, info() {}, warn() {} },
    });
    const api = await admin.listen({ host: '127.0.0.1', port: 0 });
    try {
      const [explained, json, slot, shown, none] = await Promise.all([
        covey(['explain', npub, '--api', api]),
        covey(['explain', npub, '--api', api, '--json']),
        covey(['explain', 'f'.repeat(64), '--api', api]),
        covey(['epochs', 'show', '1', '--api', api]),
        covey(['epochs', 'show', '9', '--api', api]),
      ]);
      assert.equal(explained.code, 0, explained.err);
      assert.match(explained.out, /\(group 4096, placement of epoch 1\)\n\n- It is in the community of Ada/);
      assert.match(explained.out, /master Alder +40 +5 {2}ws:/);
      assert.match(explained.out, /Alder → Elm +-2 {2}-0\.0067/);
      assert.equal(JSON.parse(json.out).alternatives[0].relays, -2);
      assert.match(slot.out, /- No group lists it, so the hash of its key decides/);
      assert.match(shown.out, /moved +37 accounts\n {2}new +12\n/);
      assert.match(shown.out, /trust +from 32 seeds: 310 readers/);
      assert.match(shown.out, /Birch +11 +11 {2}0\.90/);
      const status = await covey(['status', '--api', api]);
      assert.match(status.out, /trust +from 32 seeds, 310 readers\n/);
      assert.equal(none.code, 65);
      assert.match(none.err, /Epoch 9 has no report/);
    } finally {
      await admin.close();
    }
  });

  test('status', async () => {
    const { code, out } = await covey(['status']);
    assert.equal(code, 0);
    assert.match(out, /cluster {2}local\nepoch {4}1, /);
    assert.match(out, /Alder {4}unknown +- +80 +160 +0 +- +- {2}ws:/);
    assert.equal(JSON.parse((await covey(['status', '--json'])).out).members.length, 5);
  });

  test('the API is found by the option, the variable, the running cluster; one that is not there ends with 69', async () => {
    const away = `http://127.0.0.1:${await freePort()}`;
    const unreachable = await covey(['status'], { env: { COVEY_API_URL: away } });
    assert.equal(unreachable.code, 69);
    assert.match(unreachable.err, /can't be reached \(ECONNREFUSED\).*covey up/);
    assert.equal((await covey(['status', '--api', url], { env: { COVEY_API_URL: away } })).code, 0);
    const home = join(dir, 'home');
    mkdirSync(home);
    writeFileSync(join(home, 'run.json'), JSON.stringify({ pid: process.pid, apiUrl: url }));
    assert.equal((await covey(['status'], { env: { COVEY_API_URL: '', COVEY_HOME: home } })).code, 0);
    const port = await covey(['status'], {
      env: { COVEY_API_URL: '', COVEY_PORT: String(new URL(away).port) },
    });
    assert.equal(port.code, 69);
    assert.ok(port.err.includes(`${away} can't be reached`));
    assert.equal((await covey(['status', '--api', 'nowhere'])).code, 64);
  });
});
