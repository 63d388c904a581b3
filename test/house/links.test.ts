import assert from 'node:assert/strict';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '../..');
const pages = globSync('{*.md,{services,shared,infra,test}/**/*.md}', {
  cwd: root,
  exclude: (path) => /(^|\/)(node_modules|dist)(\/|$)/.test(path),
});

test('every link between pages of this repository leads somewhere', () => {
  assert.ok(pages.length > 5, `${pages.length} pages found`);
  const dead: string[] = [];
  for (const page of pages)
    for (const [, target] of readFileSync(join(root, page), 'utf8').matchAll(/\]\(([^)#\s]+)(?:#[^)]*)?\)/g))
      if (!/^[a-z]+:/.test(target!) && !existsSync(join(root, dirname(page), target!)))
        dead.push(`${page}: ${target}`);
  assert.deepEqual(dead, []);
});
