import type { Migration } from '../migrate.ts';
import { graph } from './001-graph.ts';
import { epochs } from './002-epochs.ts';
import { authority } from './003-authority.ts';
import { moves } from './004-moves.ts';
import { explanations } from './005-explanations.ts';
import { probes } from './006-probes.ts';
import { audit } from './007-audit.ts';

/** The whole schema, step by step. */
export const MIGRATIONS: readonly Migration[] = [
  graph,
  epochs,
  authority,
  moves,
  explanations,
  probes,
  audit,
];
