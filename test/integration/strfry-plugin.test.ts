import assert from 'node:assert/strict';
import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { type FixtureGroup, fixtureTable } from '../conformance/placement-fixture.ts';
import { waitFor } from '../support/wait-for.ts';
import { AUTHORITY, cacheTable, FORGER, LAUNCHER, PluginProcess } from './strfry-fixture.ts';

interface Exchange {
  it: string;
  in: string;
  out: { id: string; action: string; msg?: string } | null;
}

const VECTORS = fileURLToPath(new URL('../vectors/strfry/', import.meta.url));
const setting = JSON.parse(readFileSync(join(VECTORS, 'setting.json'), 'utf8')) as {
  self: string;
  members: { id: string; url: string }[];
  groups: FixtureGroup[];
  slotMembers: number[];
  denyFile: string;
};
const exchanges = (name: string): Exchange[] =>
  readFileSync(join(VECTORS, name), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
const redirect = exchanges('redirect.jsonl');
const find = (it: string) => {
  const found = redirect.find((exchange) => exchange.it === it);
  assert.ok(found, it);
  return found;
};
const HERE = find('an account placed here').in;
const ELSEWHERE = find('an account placed elsewhere').in;

/** The command alone, without the rest of the command line. */
const COMMAND = `
  import { Command } from 'commander';
  import { registerStrfryPlugin } from '${new URL('../../services/cli/src/commands/strfry-plugin.ts', import.meta.url).href}';
  const program = new Command('covey');
  registerStrfryPlugin(program);
  await program.parseAsync();`;

const root = mkdtempSync(join(tmpdir(), 'covey-strfry-'));
const running: PluginProcess[] = [];
after(() => {
  for (const { child } of running) if (child.exitCode === null) child.kill('SIGKILL');
  rmSync(root, { recursive: true, force: true });
});

const table = (epoch = 1, groups = setting.groups) => fixtureTable({ ...setting, groups, epoch });
let folders = 0;
const newDir = () => join(root, String(folders++));
function dirWithTable(): string {
  const dir = newDir();
  cacheTable(join(dir, 'table'), table());
  return dir;
}

interface Start {
  env?: Record<string, string>;
  args?: string[];
  command?: string;
}

function start(dir: string, { env = {}, args = [], command = LAUNCHER }: Start = {}): PluginProcess {
  const plugin = new PluginProcess(command, args, {
    COVEY_MEMBER_DIR: dir,
    COVEY_MEMBER_PUBKEY: setting.self,
    COVEY_CLUSTER: 'test',
    COVEY_ROOTS: AUTHORITY.pubkey,
    ...env,
  });
  running.push(plugin);
  return plugin;
}

async function replay(plugin: PluginProcess, list: readonly Exchange[]): Promise<void> {
  let answers = 0;
  for (const { it, in: line, out } of list) {
    plugin.write(line);
    if (!out) continue;
    answers++;
    assert.deepEqual(await plugin.answer(), out, it);
  }
  assert.deepEqual(await plugin.close(), [0, null]);
  assert.equal(plugin.stdout.trim().split('\n').length, answers, 'nothing else on standard output');
}

describe('the strfry plugin as a process', { concurrency: 2, timeout: 60_000 }, () => {
  const deny = join(root, 'deny');
  writeFileSync(deny, setting.denyFile);

  it('answers the recorded exchanges of a member that redirects', async () => {
    const plugin = start(dirWithTable(), { env: { COVEY_DENY_FILE: deny } });
    await replay(plugin, redirect);
    assert.match(plugin.stderr, /"table applied"/);
    assert.match(plugin.stderr, /"redirected":\d+/);
  });

  it('answers the same when started as a command, and all at once', async () => {
    const plugin = start(dirWithTable(), {
      env: { COVEY_DENY_FILE: deny },
      command: process.execPath,
      args: ['--input-type=module', '-e', COMMAND, 'strfry-plugin'],
    });
    plugin.write(...redirect.map((exchange) => exchange.in));
    for (const { it, out } of redirect) assert.deepEqual(await plugin.answer(), out, it);
    assert.deepEqual(await plugin.close(), [0, null]);
  });

  it('observes, and rejects what is synced from elsewhere, when so set', async () => {
    const env = { COVEY_DENY_FILE: deny, COVEY_WRITES: 'observe', COVEY_SYNCED: 'reject' };
    await replay(start(dirWithTable(), { env }), exchanges('observe.jsonl'));
  });

  it('goes on after malformed lines, and answers those whose id can be read', async () => {
    const plugin = start(dirWithTable());
    await replay(plugin, [...exchanges('malformed.jsonl'), find('an account placed elsewhere')]);
  });

  it('takes lines in pieces, cut within characters', async () => {
    const plugin = start(dirWithTable());
    const exchange = find('text in every script, and escapes');
    const bytes = Buffer.from(`${exchange.in}\n`);
    for (let at = 0; at < bytes.length; at += 7) {
      plugin.child.stdin.write(bytes.subarray(at, at + 7));
      await new Promise((resolve) => setImmediate(resolve));
    }
    assert.deepEqual(await plugin.answer(), exchange.out);
  });

  it('reads past a line that is too long, in bounded memory, and answers it', async () => {
    const plugin = start(dirWithTable(), { env: { COVEY_LINE_BYTES_MAX: '65536' } });
    const id = 'f'.repeat(64);
    const mebibyte = 'x'.repeat(1 << 20);
    const long = async (sourceType: string) => {
      plugin.child.stdin.write(`{"event":{"content":"`);
      for (let i = 0; i < 64; i++)
        if (!plugin.child.stdin.write(mebibyte))
          await new Promise((resolve) => plugin.child.stdin.once('drain', resolve));
      plugin.child.stdin.write(`","id":"${id}","kind":1},"sourceType":"${sourceType}","type":"new"}\n`);
      return await plugin.answer();
    };
    const answer = await long('IP4');
    assert.equal(answer.id, id);
    assert.equal(answer.action, 'reject');
    assert.match(answer.msg!, /^invalid: the event is too large/);
    assert.deepEqual(await long('Import'), { id, action: 'accept' });
    const status = readFileSync(`/proc/${plugin.child.pid}/status`, 'utf8');
    const peakKib = Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1]);
    assert.ok(peakKib < 220_000, `${peakKib} KiB at its peak`);
    assert.equal((await plugin.ask(ELSEWHERE)).action, 'reject');
  });

  it('accepts everything without a table, and enforces as soon as one is there', async () => {
    const dir = newDir();
    const plugin = start(dir);
    assert.equal((await plugin.ask(ELSEWHERE)).action, 'accept');
    await plugin.logged('yet: every event is accepted');
    assert.equal((await plugin.ask(ELSEWHERE)).action, 'accept');
    assert.equal(plugin.stderr.split('every event is accepted').length, 2, 'said once');
    cacheTable(join(dir, 'table'), table());
    await plugin.logged('table applied');
    assert.equal((await plugin.ask(ELSEWHERE)).action, 'reject');
  });

  it('follows changes of the table, and never back to an older epoch', async () => {
    const dir = dirWithTable();
    const plugin = start(dir);
    assert.equal((await plugin.ask(HERE)).action, 'accept');
    const [first, ...others] = setting.groups;
    for (let epoch = 2; epoch <= 6; epoch++) {
      const here = epoch % 2 === 1;
      cacheTable(
        join(dir, 'table'),
        table(epoch, [{ ...first!, members: here ? [0, 1, 2] : [4] }, ...others]),
      );
      await plugin.logged(new RegExp(`"epoch":${epoch},.*table applied`));
      const answer = await plugin.ask(HERE);
      assert.equal(answer.msg, here ? undefined : 'redirect: wss://m4.example');
    }
    cacheTable(join(dir, 'table'), table(3));
    await plugin.logged('is of epoch 3; epoch 6 stays in force');
    assert.equal((await plugin.ask(HERE)).action, 'reject');
  });

  it('keeps the last good table when the cache is damaged, forged or gone', async () => {
    const dir = dirWithTable();
    const tableDir = join(dir, 'table');
    const plugin = start(dir);
    assert.equal((await plugin.ask(ELSEWHERE)).action, 'reject');
    const everywhere = table(2, [{ members: [0], accounts: setting.groups.flatMap((g) => g.accounts) }]);
    cacheTable(tableDir, everywhere, FORGER);
    await plugin.logged('by a root key that is not trusted here');
    assert.equal((await plugin.ask(ELSEWHERE)).action, 'reject');
    for (const text of ['', 'null', '{}', `{"id":"${'a'.repeat(64)}","tags":7}`, '[', '\0\0\0']) {
      const before = plugin.stderr.length;
      writeFileSync(join(tableDir, 'manifest.json.new'), text);
      renameSync(join(tableDir, 'manifest.json.new'), join(tableDir, 'manifest.json'));
      await waitFor(() => plugin.stderr.length > before, `a word about "${text}"`);
      assert.equal((await plugin.ask(ELSEWHERE)).action, 'reject');
    }
    rmSync(tableDir, { recursive: true });
    assert.equal((await plugin.ask(ELSEWHERE)).action, 'reject');
    cacheTable(tableDir, everywhere);
    await plugin.logged(/"epoch":2,.*table applied/);
    assert.equal((await plugin.ask(ELSEWHERE)).action, 'accept');
    assert.deepEqual(await plugin.close(), [0, null]);
  });

  it('does not trust at its start what is damaged or forged', async () => {
    const damage: [string, (tableDir: string) => void, RegExp][] = [
      ['forged', (dir) => cacheTable(dir, table(), FORGER), /not trusted here/],
      [
        'another cluster',
        (dir) => cacheTable(dir, fixtureTable({ ...setting, cluster: 'other' })),
        /cluster/,
      ],
      ['a bit changed', (dir) => edit(dir, (bytes) => (bytes[bytes.length - 3]! ^= 1)), /not the one/],
      ['cut off', (dir) => edit(dir, (bytes) => bytes.subarray(0, 4096)), /not the one/],
      ['no table', (dir) => rmSync(tablePath(dir)), /is missing/],
      ['a folder for a manifest', (dir) => mkdirSync(join(dir, 'manifest.json'), { recursive: true }), /./],
    ];
    const tablePath = (dir: string) => join(dir, `table-${table().root}.bin`);
    const edit = (dir: string, change: (bytes: Uint8Array) => unknown) => {
      const bytes = Uint8Array.from(readFileSync(tablePath(dir)));
      const changed = change(bytes);
      writeFileSync(tablePath(dir), changed instanceof Uint8Array ? changed : bytes);
    };
    for (const [what, damageIt, said] of damage) {
      const dir = newDir();
      mkdirSync(join(dir, 'table'), { recursive: true });
      if (!/forged|cluster|folder/.test(what)) cacheTable(join(dir, 'table'), table());
      damageIt(join(dir, 'table'));
      const plugin = start(dir);
      assert.equal((await plugin.ask(ELSEWHERE)).action, 'accept', what);
      await plugin.logged('every event is accepted until there is a good one');
      assert.match(plugin.stderr, said, what);
      assert.deepEqual(await plugin.close(), [0, null]);
    }
  });

  it('reads the deny list again when it changes, and keeps it when it is gone', async () => {
    const file = join(root, 'deny-changing');
    writeFileSync(file, '');
    const plugin = start(dirWithTable(), { env: { COVEY_DENY_FILE: file } });
    assert.equal((await plugin.ask(HERE)).action, 'accept');
    writeFileSync(`${file}.new`, 'kind 1\nnonsense\n');
    renameSync(`${file}.new`, file);
    await plugin.logged(/line 2: /);
    assert.match((await plugin.ask(HERE)).msg!, /^blocked: .* this kind$/);
    rmSync(file);
    await plugin.logged('the last good deny list stays in force');
    assert.equal((await plugin.ask(HERE)).action, 'reject');
    writeFileSync(file, '# nothing any more\n');
    await waitFor(async () => (await plugin.ask(HERE)).action === 'accept', 'the list to be lifted');
  });

  it('gives keys that no table lists their quota', async () => {
    const plugin = start(dirWithTable(), { env: { COVEY_UNKNOWN_PER_MINUTE: '3' } });
    const unknown = find('a key that no group lists lives in its slot, here').in;
    const from = (address: string) => unknown.replace('203.0.113.7', address);
    for (let i = 0; i < 3; i++) assert.equal((await plugin.ask(from('192.0.2.1'))).action, 'accept');
    assert.match((await plugin.ask(from('192.0.2.1'))).msg!, /^rate-limited: /);
    assert.equal((await plugin.ask(from('192.0.2.2'))).action, 'accept');
    assert.equal((await plugin.ask(HERE)).action, 'accept');
  });

  it('accepts everything, loudly, where it is no member or has wrong settings', async () => {
    const loop = join(root, 'loop');
    symlinkSync(loop, loop);
    const file = join(root, 'a-file');
    writeFileSync(file, '');
    const cases: [Start, RegExp][] = [
      [{ env: { COVEY_MEMBER_PUBKEY: 'f'.repeat(64) } }, /is not in the table of epoch 1/],
      [{ env: { COVEY_MEMBER_PUBKEY: '' } }, /set COVEY_MEMBER_PUBKEY.*NOTHING IS ENFORCED/],
      [{ env: { COVEY_WRITES: 'forward' } }, /can’t do; set redirect or observe.*NOTHING IS ENFORCED/],
      [{ env: { COVEY_ROOTS: '' } }, /no trusted root key/],
      [{ args: ['--folow'] }, /--folow.*NOTHING IS ENFORCED/],
      [{ args: ['--follow'] }, /NATS_URL is not set.*NOTHING IS ENFORCED/],
      [{ env: { COVEY_MEMBER_DIR: loop } }, /every event is accepted/],
      [{ env: { COVEY_MEMBER_DIR: file } }, /every event is accepted/],
    ];
    for (const [how, said] of cases) {
      const plugin = start(dirWithTable(), how);
      assert.equal((await plugin.ask(ELSEWHERE)).action, 'accept');
      assert.match(plugin.stderr, said);
      assert.deepEqual(await plugin.close(), [0, null]);
    }
  });

  it('enforces the cached table while it can’t follow', async () => {
    const env = { NATS_URL: 'nats://127.0.0.1:9', NATS_NKEY_FILE: '/nowhere/nkey' };
    const plugin = start(dirWithTable(), { env, args: ['--follow'] });
    await plugin.logged('following the table failed');
    assert.equal((await plugin.ask(ELSEWHERE)).action, 'reject');
    assert.deepEqual(await plugin.close(), [0, null]);
    assert.equal(plugin.stdout.split('\n').length, 2);
  });

  it('says what is wrong when asked, and prints nothing', async () => {
    const check = { args: ['--check'] };
    const cases: [Start & { dir?: string }, number][] = [
      [check, 0],
      [{ ...check, dir: newDir() }, 75],
      [{ ...check, env: { COVEY_ROOTS: FORGER.pubkey } }, 75],
      [{ ...check, env: { COVEY_WRITES: 'forward' } }, 2],
      [{ ...check, env: { COVEY_DENY_FILE: '/nowhere/deny' } }, 2],
    ];
    for (const [how, code] of cases) {
      const plugin = start(how.dir ?? dirWithTable(), how);
      assert.deepEqual(await plugin.close(), [code, null], plugin.stderr);
      assert.equal(plugin.stdout, '');
    }
  });

  it('goes at once on SIGTERM, and with 0 when its input or its reader is gone', async () => {
    const terminated = start(dirWithTable());
    await terminated.ask(HERE);
    assert.deepEqual(await terminated.kill('SIGTERM'), [null, 'SIGTERM']);
    const halfLine = start(dirWithTable());
    halfLine.child.stdin.write(HERE); // no newline
    assert.deepEqual(await halfLine.close(), [0, null]);
    assert.equal(halfLine.stdout.split('\n').length, 2, 'a whole request without a newline is answered');
    const unread = start(dirWithTable());
    await unread.ask(HERE);
    unread.child.stdout.destroy();
    const exited = new Promise((resolve) => unread.child.once('exit', (code) => resolve(code)));
    unread.write(HERE, HERE);
    assert.equal(await exited, 0);
  });

  it('starts through a link, from another folder, with settings from a file', async () => {
    const dir = dirWithTable();
    const link = join(root, 'policy');
    symlinkSync(LAUNCHER, link);
    const settings = join(root, 'settings.env');
    writeFileSync(
      settings,
      `COVEY_MEMBER_DIR=${dir}\nCOVEY_MEMBER_PUBKEY=${setting.self}\nCOVEY_CLUSTER=test\nCOVEY_ROOTS=${AUTHORITY.pubkey}\n`,
    );
    // As strfry does it: sh -c, a fresh environment, its own folder.
    const plugin = new PluginProcess('/bin/sh', ['-c', `cd / && exec ${link}`], {
      COVEY_SETTINGS_FILE: settings,
    });
    running.push(plugin);
    assert.equal((await plugin.ask(ELSEWHERE)).action, 'reject');
    assert.deepEqual(await plugin.close(), [0, null]);
  });
});
