import { parseArgs } from 'node:util';
import { GUARDS, type Guard, isGuard } from './guards.ts';
import { runSeed, type SeedResult } from './run-seed.ts';

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '100' },
    first: { type: 'string', default: '1' },
    seed: { type: 'string' },
    seconds: { type: 'string', default: '90' },
    without: { type: 'string', default: '' },
    guards: { type: 'boolean', default: false },
    help: { type: 'boolean', short: 'h', default: false },
  },
});
if (values.help) {
  console.log(`npm run sim -- [--seeds 100] [--first 1]   many seeds, from the first on
npm run sim -- --seed 17                   one again, with its faults
npm run sim -- --without "GUARD,GUARD"     with these guards switched off
npm run sim -- --guards                    each guard switched off in turn, until a seed finds it
  --seconds 90                             simulated time of faults in a run

Guards:
${Object.entries(GUARDS)
  .map(([name, text]) => `  ${name.padEnd(22)} ${text}`)
  .join('\n')}`);
  process.exit(0);
}

const seconds = Number(values.seconds);
const first = Number(values.first);
const count = Number(values.seeds);
const without = new Set<Guard>();
for (const name of values.without
  .split(',')
  .map((part) => part.trim())
  .filter(Boolean)) {
  if (!isGuard(name)) {
    console.error(`no guard "${name}": npm run sim -- --help lists them`);
    process.exit(64);
  }
  without.add(name);
}

function tell({ seed, violation, atSeconds, faults, digest }: SeedResult): void {
  const off = without.size > 0 ? ` --without "${[...without]}"` : '';
  console.log(`seed ${seed}: ${violation!.invariant}: ${violation!.detail}
  after ${atSeconds.toFixed(1)} simulated seconds; digest ${digest}; again: npm run sim -- --seed ${seed} --seconds ${seconds}${off}`);
  for (const fault of faults.slice(-12)) console.log(`    ${fault}`);
}

if (values.seed !== undefined) {
  const result = await runSeed(Number(values.seed), { without, seconds });
  for (const fault of result.faults) console.log(fault);
  if (result.violation) tell(result);
  const { faults: _, violation, ...counts } = result;
  console.log(JSON.stringify({ ...counts, violation: violation ?? null }));
  process.exit(violation ? 1 : 0);
}

if (values.guards) {
  let missed = 0;
  for (const name of without.size > 0 ? without : (Object.keys(GUARDS) as Guard[])) {
    let seed = first;
    let result: SeedResult | undefined;
    for (; seed < first + count && !result?.violation; seed++)
      result = await runSeed(seed, { without: new Set([name]), seconds });
    if (!result?.violation) missed++;
    console.log(
      result?.violation
        ? `${name}: found by seed ${result.seed} (${seed - first} tried): ${result.violation.invariant}: ${result.violation.detail}`
        : `${name}: NOT found by ${count} seeds`,
    );
  }
  process.exit(missed > 0 ? 1 : 0);
}

const started = performance.now();
let steps = 0;
let acknowledged = 0;
let reads = 0;
let epochs = 0;
let failed = 0;
for (let seed = first; seed < first + count; seed++) {
  const result = await runSeed(seed, { without, seconds });
  steps += result.steps;
  acknowledged += result.acknowledged;
  reads += result.reads;
  epochs += result.epochs;
  if (result.violation) {
    failed++;
    tell(result);
  }
}
const ms = Math.round(performance.now() - started);
console.log(JSON.stringify({ seeds: count, first, failed, steps, acknowledged, reads, epochs, seconds, ms }));
process.exit(failed > 0 ? 1 : 0);
