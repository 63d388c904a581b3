/**
 * Runs the tests: `npm test` all of them, `npm test -- unit integration …` some groups, `npm test -- path/to/x.test.ts`
 * single files. A thin layer over `node --test`: it only finds the files, so that every group runs with one command.
 */
import { spawnSync } from 'node:child_process';
import { globSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const GROUPS: Record<string, string[]> = {
  unit: ['shared/*/src/**/*.test.ts', 'services/*/src/**/*.test.ts', 'test/house/*.test.ts'],
  integration: ['test/integration/*.test.ts', 'test/conformance/*.test.ts'],
  simulation: ['test/simulation/*.test.ts'],
  browser: ['test/browser/*.test.ts'],
  'end-to-end': ['test/end-to-end/*.test.ts'],
};

const wanted = process.argv.slice(2);
const names = wanted.length > 0 ? wanted : Object.keys(GROUPS);
const files = names.flatMap((name) => globSync(GROUPS[name] ?? [name], { cwd: root }).sort());
const missing = names.filter((name) => globSync(GROUPS[name] ?? [name], { cwd: root }).length === 0);
if (missing.length > 0) {
  console.error(
    `no tests: ${missing.join(', ')}. Groups: ${Object.keys(GROUPS).join(', ')}; or give paths of test files.`,
  );
  process.exit(64);
}
// Two files at a time: each may start servers of its own, and wall time is what people wait for.
const result = spawnSync(
  process.execPath,
  ['--test', '--test-concurrency=2', '--test-timeout=240000', '--test-reporter=spec', ...files],
  { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] },
);
process.exit(result.status ?? 1);
