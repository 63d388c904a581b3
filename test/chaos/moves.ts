import { parseArgs } from 'node:util';
import { MOVE_PHASES } from '@covey/table';
import { type MoveRound, moveRounds } from './move-rounds.ts';

const { values } = parseArgs({
  options: {
    times: { type: 'string', default: '1' },
    help: { type: 'boolean', short: 'h', default: false },
  },
});
if (values.help) {
  console.log(
    'node test/chaos/moves.ts [--times 1]: kills the coordinator and members in every phase of moves, under load',
  );
  process.exit(0);
}
const each: MoveRound[] = MOVE_PHASES.flatMap((phase) =>
  (['coordinator', 'old member', 'new member'] as const).map((victim) => ({ phase, victim })),
);
const away: MoveRound[] = [
  { phase: 'copy', victim: 'old member', away: true },
  { phase: 'write-both-read-new', victim: 'old member', away: true },
];
const rounds = Array.from({ length: Number(values.times) }, () => [...each, ...away]).flat();
const result = await moveRounds({
  members: 5,
  authors: 20,
  share: 0.2,
  rounds,
  leaves: 4,
  report: (text) => console.log(text),
});
const { gaps, lost, ...counts } = result;
console.log(JSON.stringify({ rounds: rounds.length, ...counts, gaps: gaps.length, lost: lost.length }));
process.exit(gaps.length + lost.length > 0 ? 1 : 0);
