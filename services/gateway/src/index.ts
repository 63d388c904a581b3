export { type CachedTable, CachedTableError, readCachedTable } from './table/cached-table.ts';
export { tableRoot } from './table/table-root.ts';
