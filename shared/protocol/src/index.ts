export * from './announcement.ts';
export * from './batches.ts';
export * from './cluster-field.ts';
export * from './messages.ts';
export * from './orders.ts';
export * from './placement-frames.ts';
export * from './probe-frames.ts';
export * from './subjects.ts';
