import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { ConfigError, EnvReader } from './env.ts';

const a = 'a'.repeat(64);
const b = 'b'.repeat(64);

test('public keys as a list or as a file: sorted, each once; what is none is named with its line', () => {
  const dir = mkdtempSync(join(tmpdir(), 'covey-env-'));
  try {
    const file = join(dir, 'seeds.txt');
    writeFileSync(file, `# trusted\n${b}  # somebody\n\n${a}\n${b}\n`);
    const read = (value?: string) => new EnvReader({ SEEDS: value }).pubkeyList('SEEDS');
    assert.deepEqual(read(), []);
    assert.deepEqual(read(`${b}, ${a},`), [a, b]);
    assert.deepEqual(read(file), [a, b]);
    assert.throws(() => read('nonsense'), ConfigError);
    writeFileSync(file, `${a}\nnpub1x\n`);
    assert.throws(() => read(file), /SEEDS: .*seeds\.txt, line 2: /);
    assert.throws(() => read(join(dir, 'absent.txt')), /SEEDS names .*absent\.txt, which can't be used/);
  } finally {
    rmSync(dir, { recursive: true });
  }
});
