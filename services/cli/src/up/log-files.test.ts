import assert from 'node:assert/strict';
import { closeSync, readdirSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { LogFiles } from './log-files.ts';
import { temporary } from './testing.ts';

const directory = temporary('logs');
after(() => rmSync(directory, { recursive: true }));

test('a log that grows past its bound is set aside, twice and no more, under a writer that goes on', () => {
  const logs = new LogFiles(directory, 100);
  const file = logs.open('a');
  const read = (name: string) => readFileSync(join(directory, name), 'utf8');
  for (const letter of ['w', 'x', 'y', 'z']) {
    writeSync(file, `${letter.repeat(120)}\n`);
    logs.rotate();
  }
  writeSync(file, 'last\n');
  logs.rotate();
  closeSync(file);
  assert.deepEqual(readdirSync(directory).sort(), ['a.log', 'a.log.1', 'a.log.2']);
  assert.equal(read('a.log'), 'last\n');
  assert.match(read('a.log.1'), /^z+\n$/);
  assert.match(read('a.log.2'), /^y+\n$/);
});

test('the end of a log is its last lines; a log that is not there has none', () => {
  const logs = new LogFiles(directory);
  const file = logs.open('b');
  writeSync(file, `${'long '.repeat(10_000)}\none\ntwo\n`);
  closeSync(file);
  assert.deepEqual(logs.tail('b', 2), ['one', 'two']);
  assert.deepEqual(logs.tail('none', 2), []);
});
