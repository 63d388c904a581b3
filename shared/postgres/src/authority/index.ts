export * from './carry-out.ts';
export * from './controls.ts';
export * from './log.ts';
export * from './member-state.ts';
export * from './members.ts';
export * from './probes.ts';
export * from './signatures.ts';
