export * from './compare.ts';
export * from './content.ts';
export * from './delta.ts';
export { encodeTable } from './encode.ts';
export * from './manifest.ts';
export * from './merkle.ts';
export { buildRows, compareBytes, readU32, writeU32 } from './rows.ts';
export { type Located, PlacementTable } from './table.ts';
