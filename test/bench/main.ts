/**
 * Benchmarks: `npm run bench -- NAME [options]` prints JSON on standard output; what is slow tells so on standard error.
 * Each is a file here that exports `run(args)`. Figures of one run compare with each other only: machines differ.
 */
import { globSync } from 'node:fs';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = fileURLToPath(new URL('.', import.meta.url));
const names = globSync('*.ts', { cwd: here })
  .map((file) => basename(file, '.ts'))
  .filter((name) => name !== 'main' && !/-(load|plot)$/.test(name)) // x-load.ts: what x.ts runs beside itself
  .sort();
const [name, ...args] = process.argv.slice(2);

if (!name || !names.includes(name)) {
  console.error(
    `${name ? `no benchmark "${name}"` : 'name a benchmark'}: npm run bench -- ${names.join(' | ')}`,
  );
  process.exit(64);
}
const { run } = (await import(new URL(`${name}.ts`, import.meta.url).href)) as {
  run: (args: string[]) => Promise<void>;
};
await run(args);
