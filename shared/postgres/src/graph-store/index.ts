export * from './future-lists.ts';
export * from './ingest-runs.ts';
export * from './load-graph.ts';
export * from './names.ts';
export { type Decision, decideList, type ListVersion } from './newest-wins.ts';
export * from './relay-cursors.ts';
export * from './store-lists.ts';
