export { agreedVerdicts } from './agreed-verdicts.ts';
export { DEFAULT_LIVENESS, type LivenessConfig } from './config.ts';
export { type Input, Liveness, type Output } from './liveness.ts';
export { parseRumours, RUMOURS_MAX, type Rumour, type Status, supersedes, writeRumours } from './rumour.ts';
export { suspicionMs } from './suspicion.ts';
export { ALL_ALIVE, isAllAlive, type MemberVerdicts, type Verdicts } from './verdicts.ts';
