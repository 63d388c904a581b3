import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
/** Packages without I/O, clock or randomness. */
const PURE = ['nostr', 'graph', 'placement', 'table', 'protocol', 'enforcement', 'moves', 'liveness'];
/** `services/cli` runs the other services, as processes or by their main file; nothing else may reach over. */
const RUNS_SERVICES = /^services\/cli\/src\/(up|commands)\//;

const sources = globSync('{services,shared}/*/src/**/*.ts', { cwd: root }).filter(
  (path) => !path.endsWith('.d.ts'),
);

function importsOf(path: string): string[] {
  const text = readFileSync(join(root, path), 'utf8');
  return [...text.matchAll(/(?:from|import)\s*\(?\s*'([^']+)'/g)].map((match) => match[1]!);
}

function serviceOf(path: string): string | undefined {
  return /^services\/([^/]+)\//.exec(path)?.[1];
}

test('there are sources to look at', () => {
  assert.ok(sources.length > 50, `${sources.length} found`);
});

test('shared never imports services, and no service imports another', () => {
  for (const path of sources) {
    if (RUNS_SERVICES.test(path)) continue;
    for (const target of importsOf(path)) {
      const resolved = target.startsWith('.') ? join(dirname(path), target) : target;
      const service =
        serviceOf(resolved) ?? /^@covey\/(api|cli|coordinator|dashboard|gateway|relay)$/.exec(target)?.[1];
      if (service) assert.equal(service, serviceOf(path), `${path} imports ${target}`);
    }
  }
});

test('pure packages import neither Node nor packages that do I/O', () => {
  const allowed = /^(\.|@covey\/|@noble\/|@scure\/|@sinclair\/typebox|tiny-secp256k1$|graphology)/;
  for (const path of sources) {
    const name = /^shared\/([^/]+)\//.exec(path)?.[1];
    if (!name || !PURE.includes(name) || path.endsWith('.test.ts')) continue;
    for (const target of importsOf(path)) {
      assert.match(target, allowed, `${path} imports ${target}`);
      const sibling = /^@covey\/(.+)$/.exec(target)?.[1];
      if (sibling) assert.ok(PURE.includes(sibling), `${path} imports ${target}, which is not pure`);
    }
  }
});

test('pure packages read no clock and no randomness', () => {
  const impure =
    /Date\.now\(|new Date\(\)|Math\.random\(|performance\.now\(|getRandomValues|randomBytes|\bprocess\./;
  for (const path of sources) {
    const name = /^shared\/([^/]+)\//.exec(path)?.[1];
    if (!name || !PURE.includes(name) || path.endsWith('.test.ts')) continue;
    const line = readFileSync(join(root, path), 'utf8')
      .split('\n')
      .find((text) => impure.test(text) && !/^\s*(\*|\/\/)/.test(text));
    assert.equal(line, undefined, `${path} is not pure`);
  }
});

test('the top level holds what was agreed, and nothing else', async () => {
  const { execFileSync } = await import('node:child_process');
  const agreed =
    /^(package\.json|tsconfig\.json|services|shared|infra|test|README\.md|package-lock\.json|LICENSE|CHANGELOG\.md|biome\.json|\..+)$/;
  let files: string[];
  try {
    files = execFileSync('git', ['ls-files'], {
      cwd: root,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).split('\n');
  } catch {
    files = globSync('*', { cwd: root }).filter((name) => name !== 'node_modules'); // a copy without git
  }
  const top = new Set(files.filter(Boolean).map((file) => file.split('/')[0]!));
  assert.deepEqual(
    [...top].filter((name) => !agreed.test(name)),
    [],
  );
});
