import assert from 'node:assert/strict';
import {
  chmodSync,
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { after, afterEach, beforeEach, test } from 'node:test';
import { type HomePaths, homePaths } from '@covey/config';
import { checkDatabaseIsThere, isFirstStart, markStarted } from './first-start.ts';
import { createIdentity, isNewHome, loadIdentity } from './identity.ts';
import { portsFrom } from './settings.ts';
import { temporary } from './testing.ts';

const NOW_S = 1_800_000_000;
const YEAR_S = 365 * 86_400;
const template = temporary('identity');
const created = homePaths(template);
createIdentity(created, 'local', portsFrom(4600), NOW_S);
after(() => rmSync(template, { recursive: true }));

let paths: HomePaths;
beforeEach(() => {
  paths = homePaths(temporary('identity'));
  cpSync(template, paths.root, { recursive: true });
  chmodSync(paths.keysDir, 0o700);
});
afterEach(() => rmSync(paths.root, { recursive: true }));

const load = (base = 4600, cluster = 'local', nowS = NOW_S) =>
  loadIdentity(paths, cluster, portsFrom(base), nowS);

/** Everything in the home, to see that a refusal changes nothing. */
function contents(): Record<string, string> {
  const files = readdirSync(paths.root, { recursive: true, withFileTypes: true }).filter((entry) =>
    entry.isFile(),
  );
  return Object.fromEntries(
    files.map((file) => [file.name, readFileSync(join(file.parentPath, file.name), 'utf8')]),
  );
}

test('a new home has five members with keys of their own, all for their owner alone', () => {
  const identity = load();
  assert.deepEqual(
    identity.ownMembers.map(({ n, member }) => [n, member.url]),
    [1, 2, 3, 4, 5].map((n) => [n, `ws://127.0.0.1:${4600 + n}`]),
  );
  assert.equal(new Set(identity.members.map(({ operator }) => operator)).size, 5);
  assert.equal(new Set(identity.members.map(({ name }) => name)).size, 5);
  assert.equal(identity.nkeys.size, 7);
  for (const file of readdirSync(paths.keysDir))
    assert.equal(statSync(join(paths.keysDir, file)).mode & 0o777, 0o600);
});

test('members’ URLs follow the ports; what an operator wrote into the file stays', () => {
  const members = JSON.parse(readFileSync(paths.membersFile, 'utf8'));
  members[0].url = 'wss://relay.example.org';
  members[1].capacity.copies = 7;
  members.push({ ...members[4], id: 'ab'.repeat(32), url: 'ws://127.0.0.1:4999' });
  writeFileSync(paths.membersFile, JSON.stringify(members));
  const identity = load(5600);
  assert.deepEqual(
    identity.members.map(({ url }) => url),
    [
      'wss://relay.example.org',
      ...[2, 3, 4, 5].map((n) => `ws://127.0.0.1:${5600 + n}`),
      'ws://127.0.0.1:4999',
    ],
  );
  assert.equal(identity.members[1]?.capacity.copies, 7);
  assert.deepEqual(
    identity.ownMembers.map(({ n }) => n),
    [1, 2, 3, 4, 5],
  );
  assert.deepEqual(JSON.parse(readFileSync(paths.membersFile, 'utf8')), identity.members);
});

test('a damaged home is refused by name, with the next step, and left as it was', () => {
  const cases: [string, () => void, RegExp][] = [
    ['broken members', () => writeFileSync(paths.membersFile, '[{"id":'), /members\.json is damaged.*JSON/],
    ['members of another shape', () => writeFileSync(paths.membersFile, '{}'), /members\.json.*no list/],
    [
      'a member without id',
      () => writeFileSync(paths.membersFile, '[{"url":"ws://a"}]'),
      /member 1 has no id/,
    ],
    ['no members', () => rmSync(paths.membersFile), /members\.json can't be read \(ENOENT\)/],
    [
      'a key that is none',
      () => writeFileSync(paths.memberKeyFile(3), 'x'),
      /member-3\.key holds no secret key/,
    ],
    ['an open key', () => chmodSync(paths.rootKeyFile, 0o644), /root\.key.*chmod 600/],
    ['an open directory', () => chmodSync(paths.keysDir, 0o755), /keys.*chmod 700/],
    ['no nkey', () => writeFileSync(paths.nkeyFile('api'), 'SUx'), /nats-api\.nk holds no nkey seed/],
    ['no password', () => rmSync(paths.postgresPasswordFile), /postgres\.password can't be read/],
    [
      'a broken certificate',
      () => writeFileSync(paths.certificateFile, '{"kind":1}'),
      /no valid certificate/,
    ],
  ];
  for (const [what, damage, message] of cases) {
    rmSync(paths.root, { recursive: true });
    cpSync(template, paths.root, { recursive: true });
    chmodSync(paths.keysDir, 0o700);
    damage();
    const before = contents();
    assert.throws(
      () => load(5600),
      (error: Error & { exitCode?: number }) => {
        assert.match(error.message, message, what);
        assert.match(error.message, /Nothing was changed\.\nNext: /, what);
        assert.equal(error.exitCode, 65, what);
        return true;
      },
      what,
    );
    assert.deepEqual(contents(), before, what);
    chmodSync(paths.keysDir, 0o700);
  }
});

test('a home belongs to one cluster', () => {
  assert.throws(() => load(4600, 'other'), /holds the cluster "local".*COVEY_CLUSTER is "other"/);
});

test('a certificate that ends soon, or is gone, is signed anew; the root stays', () => {
  const first = readFileSync(paths.certificateFile, 'utf8');
  const { root } = load(4600, 'local', NOW_S + 9 * YEAR_S);
  assert.equal(readFileSync(paths.certificateFile, 'utf8'), first);
  assert.equal(load(4600, 'local', NOW_S + 11 * YEAR_S).root, root);
  assert.notEqual(readFileSync(paths.certificateFile, 'utf8'), first);
  rmSync(paths.certificateFile);
  assert.equal(load().root, root);
});

test('a home is new without a root key, unless data is there', () => {
  assert.equal(isNewHome(paths), false);
  mkdirSync(paths.natsDir);
  assert.equal(isNewHome(paths), false);
  rmSync(paths.rootKeyFile);
  assert.throws(() => isNewHome(paths), /root\.key is missing, and .*nats is there/);
  rmSync(paths.natsDir, { recursive: true });
  assert.equal(isNewHome(paths), true);
});

test('a database that is gone after a cluster was ready is told; before that it is made', () => {
  checkDatabaseIsThere(paths);
  assert.equal(isFirstStart(paths), true);
  markStarted(paths, 1);
  assert.equal(isFirstStart(paths), false);
  assert.throws(() => checkDatabaseIsThere(paths), /postgres is missing.*[\s\S]*DATABASE_URL/);
  mkdirSync(paths.postgresDir);
  checkDatabaseIsThere(paths);
});
