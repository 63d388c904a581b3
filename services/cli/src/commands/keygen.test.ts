import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { verifyEvent } from '@covey/nostr';

const directory = mkdtempSync(join(tmpdir(), 'covey-keygen-'));
after(() => rmSync(directory, { recursive: true }));

const MAIN = fileURLToPath(new URL('../main.ts', import.meta.url));

function keygen(...args: string[]) {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', MAIN, 'keygen', ...args],
    { cwd: directory, encoding: 'utf8' },
  );
  return { status, stdout: stdout.trim(), stderr: stderr.trim() };
}

test('keys, a certificate and NATS users are made without a secret on the screen', () => {
  const root = JSON.parse(keygen('key', 'root.key', '--json').stdout);
  assert.equal(statSync(join(directory, 'root.key')).mode & 0o777, 0o600);
  const coordinator = keygen('key', 'coordinator.key').stdout.split('\n')[0]!;
  const { status, stdout } = keygen(
    ...[
      'certificate',
      '--root',
      'root.key',
      '--coordinator',
      coordinator,
      '--cluster',
      'birds',
      '--days',
      '30',
    ],
  );
  assert.equal(status, 0);
  const certificate = JSON.parse(stdout);
  assert.equal(certificate.pubkey, root.pubkey);
  assert.equal(verifyEvent(certificate), 'valid');
  const nkey = keygen('nkey', 'coordinator.nk').stdout;
  assert.match(nkey, /^U[A-Z2-7]{55}$/);
  const users = keygen(
    'nats-users',
    '--cluster',
    'birds',
    '--coordinator',
    'coordinator.nk',
    '--member',
    `${root.npub}=${nkey}`,
  );
  assert.equal(users.stdout.split(nkey).length - 1, 2);
  assert.match(users.stdout, new RegExp(`covey\\.birds\\.member\\.${root.pubkey}\\.ack`));
});

test('wrong input gets an exit code and a reason', () => {
  const cases: [string[], number, RegExp][] = [
    [['key', 'root.key'], 73, /root\.key is there already/],
    [
      ['certificate', '--root', 'none.key', '--coordinator', 'npub1x', '--cluster', 'birds'],
      65,
      /none\.key can't be read/,
    ],
    [['certificate', '--root', 'root.key', '--coordinator', 'npub1x', '--cluster', 'birds'], 65, /not a key/],
    [
      ['certificate', '--root', 'root.key', '--coordinator', 'x', '--cluster', 'Birds!'],
      64,
      /no cluster name/,
    ],
    [['certificate', '--root', 'root.key'], 64, /--coordinator/],
    [['nats-users', '--cluster', 'birds', '--coordinator', 'SUABC'], 65, /a seed, which stays secret/],
    [['nats-users', '--cluster', 'birds', '--coordinator', 'UABC'], 65, /no nkey/],
  ];
  for (const [args, status, message] of cases) {
    const result = keygen(...args);
    assert.deepEqual(
      [result.status, message.test(result.stderr)],
      [status, true],
      `${args.join(' ')}: ${result.stderr}`,
    );
  }
  const open = join(directory, 'open.key');
  writeFileSync(open, '1'.repeat(64));
  chmodSync(open, 0o644);
  const result = keygen('certificate', '--root', open, '--coordinator', '2'.repeat(64), '--cluster', 'birds');
  assert.match(result.stderr, /chmod 600/);
});
