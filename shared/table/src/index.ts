export * from './content.ts';
export * from './delta.ts';
export { encodeTable } from './encode.ts';
export * from './manifest.ts';
export * from './merkle.ts';
export { buildRows } from './rows.ts';
export { type Located, PlacementTable } from './table.ts';
