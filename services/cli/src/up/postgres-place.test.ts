import assert from 'node:assert/strict';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { type HomePaths, homePaths } from '@covey/config';
import { checkPostgresVersion, findPostgresPlace, preparePostgresPlace } from './postgres-place.ts';
import { temporary } from './testing.ts';

const IS_ROOT = process.geteuid?.() === 0;

let paths: HomePaths;
beforeEach(() => {
  paths = homePaths(realpathSync(temporary('place')));
  chmodSync(paths.root, 0o755);
});
afterEach(() => rmSync(paths.root, { recursive: true }));

function dataDirectory(files: string[]): void {
  mkdirSync(join(paths.postgresDir, 'global'), { recursive: true });
  for (const file of files) writeFileSync(join(paths.postgresDir, file), '18\n');
}

test('data lives in the home, and initdb runs when nothing is there', () => {
  const place = findPostgresPlace(paths);
  assert.equal(place.dataDir, paths.postgresDir);
  assert.equal(place.initialised, false);
  assert.deepEqual(preparePostgresPlace(paths, place), place);
  assert.deepEqual(readdirSync(paths.root), []);
});

test('a data directory that is not complete is refused, and left as it is', () => {
  dataDirectory(['global/pg_control']);
  assert.throws(
    () => findPostgresPlace(paths),
    /no complete PostgreSQL data directory \(PG_VERSION is missing\)[\s\S]*Nothing was changed/,
  );
  rmSync(paths.postgresDir, { recursive: true });
  dataDirectory(['PG_VERSION']);
  assert.throws(() => findPostgresPlace(paths), /\(global\/pg_control is missing\)/);
  assert.ok(existsSync(join(paths.postgresDir, 'PG_VERSION')));
});

test('data of another version, or of none, is refused', () => {
  dataDirectory(['PG_VERSION', 'global/pg_control']);
  const { dataDir, initialised } = findPostgresPlace(paths);
  assert.equal(initialised, true);
  checkPostgresVersion(paths, dataDir, '18');
  assert.throws(
    () => checkPostgresVersion(paths, dataDir, '19'),
    /made by PostgreSQL 18, and this is PostgreSQL 19/,
  );
  writeFileSync(join(dataDir, 'PG_VERSION'), 'x');
  assert.throws(() => checkPostgresVersion(paths, dataDir, '18'), /PG_VERSION is "x"/);
});

test('a link to data that is gone is told', () => {
  symlinkSync(join(paths.root, 'gone', 'postgres'), paths.postgresDir);
  assert.throws(() => findPostgresPlace(paths), /a link to .*gone\/postgres, which is gone/);
});

test('root keeps the data outside of a home that PostgreSQL’s user can’t enter', {
  skip: !IS_ROOT && 'needs root',
}, () => {
  chmodSync(paths.root, 0o700);
  const places = [1, 2].map(() => {
    rmSync(paths.postgresDir, { force: true });
    const place = preparePostgresPlace(paths, findPostgresPlace(paths));
    mkdirSync(place.dataDir);
    return place;
  });
  const [first, second] = places.map(({ dataDir }) => dataDir);
  try {
    assert.ok(!first!.startsWith(paths.root));
    assert.equal(realpathSync(paths.postgresDir), second);
    assert.notEqual(second, first, 'the data of a home that was moved aside is used again');
  } finally {
    for (const { dataDir } of places) rmSync(dirname(dataDir), { recursive: true });
  }
});
