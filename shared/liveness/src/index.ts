export { DEFAULT_LIVENESS, type LivenessConfig } from './config.ts';
export { type Input, Liveness, type Output } from './liveness.ts';
export { parseRumours, RUMOURS_MAX, type Rumour, type Status, supersedes, writeRumours } from './rumour.ts';
export { suspicionMs } from './suspicion.ts';
export { NO_VERDICTS, type Verdicts } from './verdicts.ts';
