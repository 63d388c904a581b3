import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporary } from './testing.ts';
import { canEnter, nobodyIn } from './unprivileged.ts';

test('a user enters where the mode of each directory on the way lets it', () => {
  const directory = temporary('enter');
  const inner = join(directory, 'a', 'b');
  mkdirSync(inner, { recursive: true });
  chmodSync(directory, 0o755);
  const [me, stranger] = [process.geteuid!(), 4_000_000];
  assert.equal(canEnter({ uid: stranger, gid: stranger }, inner), true);
  chmodSync(directory, 0o700);
  assert.equal(canEnter({ uid: stranger, gid: stranger }, inner), false);
  assert.equal(canEnter({ uid: me, gid: stranger }, inner), true);
  chmodSync(directory, 0o711);
  assert.equal(canEnter({ uid: stranger, gid: stranger }, inner), true);
  rmSync(directory, { recursive: true });
});

test('nobody is who /etc/passwd says', () => {
  assert.deepEqual(nobodyIn('root:x:0:0::/:/bin/sh\nnobody:x:99:98::/:/bin/false\n'), { uid: 99, gid: 98 });
  assert.deepEqual(nobodyIn('nobody:*:-2:-2::/:'), { uid: 4294967294, gid: 4294967294 });
  assert.deepEqual(nobodyIn(''), { uid: 65534, gid: 65534 });
});
