import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, chownSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { publicKeyOf } from '@covey/nostr';
import {
  checkPrivateDirectory,
  generateSecretKey,
  readSecretFile,
  readSecretKeyFile,
  SecretFileError,
  writeSecretFile,
} from './keys.ts';

const directory = mkdtempSync(join(tmpdir(), 'covey-keys-'));
after(() => rmSync(directory, { recursive: true }));

test('a secret is written for its owner alone, in a directory of its own', () => {
  const path = join(directory, 'keys', 'a.key');
  const secretKey = generateSecretKey();
  writeSecretFile(path, `${secretKey}\n`);
  assert.equal(statSync(path).mode & 0o777, 0o600);
  assert.equal(statSync(join(directory, 'keys')).mode & 0o777, 0o700);
  assert.equal(readSecretKeyFile(path), secretKey);
  assert.match(publicKeyOf(secretKey), /^[0-9a-f]{64}$/);
});

test('a secret that others may read is refused, with what to do', () => {
  const path = join(directory, 'open.key');
  writeSecretFile(path, generateSecretKey());
  for (const mode of [0o644, 0o640, 0o602]) {
    chmodSync(path, mode);
    assert.throws(() => readSecretFile(path), { name: 'SecretFileError', message: /chmod 600/ });
  }
});

test('a secret of root’s may be read by a group, as systemd and Kubernetes hand it out, and by no more', {
  skip: process.geteuid?.() !== 0 && 'only root can give a file to a group',
}, () => {
  const path = join(directory, 'handed-out.key');
  writeSecretFile(path, generateSecretKey());
  chmodSync(directory, 0o755);
  chownSync(path, 0, 65534);
  const code = `const { readSecretFile } = await import(${JSON.stringify(new URL('keys.ts', import.meta.url).href)});
    readSecretFile(${JSON.stringify(path)});`;
  const read = () =>
    spawnSync(process.execPath, ['--input-type=module', '-e', code], {
      uid: 65534,
      gid: 65534,
      encoding: 'utf8',
    });
  for (const [mode, status] of [
    [0o440, 0],
    [0o640, 0],
    [0o644, 1],
    [0o660, 1],
  ] as const) {
    chmodSync(path, mode);
    const result = read();
    assert.equal(result.status, status, `${mode.toString(8)}: ${result.stderr}`);
    if (status) assert.match(result.stderr, /SecretFileError.*chmod 600/);
  }
});

test('a directory of keys that others may enter is refused', () => {
  const path = join(directory, 'keys');
  chmodSync(path, 0o755);
  assert.throws(() => checkPrivateDirectory(path), /chmod 700/);
  chmodSync(path, 0o700);
  checkPrivateDirectory(path);
});

test('what holds no key, or is not there, is named', () => {
  const path = join(directory, 'bad.key');
  for (const text of ['', 'hello', '0'.repeat(64), 'f'.repeat(64)]) {
    writeFileSync(path, text, { mode: 0o600 });
    assert.throws(() => readSecretKeyFile(path), /bad\.key holds no secret key/);
  }
  assert.throws(() => readSecretKeyFile(join(directory, 'none.key')), SecretFileError);
});
