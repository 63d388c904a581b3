export * from './cluster-field.ts';
export * from './messages.ts';
export * from './subjects.ts';
