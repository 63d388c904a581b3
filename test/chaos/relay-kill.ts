import { parseArgs } from 'node:util';
import { killRounds } from './kill-rounds.ts';
import { randomOf } from './random.ts';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '20' },
    wipe: { type: 'string', default: '1' },
    events: { type: 'string' },
    seed: { type: 'string', default: '1' },
    help: { type: 'boolean', short: 'h', default: false },
  },
});
if (values.help) {
  console.log(
    'node test/chaos/relay-kill.ts [--rounds 100] [--wipe 1] [--events 300] [--seed 1]: kills members under load',
  );
  process.exit(0);
}

const result = await killRounds({
  rounds: Number(values.rounds),
  wipeShare: Number(values.wipe),
  random: randomOf(Number(values.seed)),
  ...(values.events ? { eventsPerRound: Number(values.events) } : {}),
  report: (text) => console.log(text),
});
const { lost, healedMs, ...counts } = result;
healedMs.sort((a, b) => a - b);
console.log(
  JSON.stringify({
    seed: Number(values.seed),
    ...counts,
    lost: lost.length,
    healedMsMedian: healedMs[healedMs.length >> 1],
    healedMsMax: healedMs.at(-1),
  }),
);
process.exit(lost.length > 0 ? 1 : 0);
