import type { Migration } from '../migrate.ts';

/** Which placement each epoch is on its way to. */
export const audit: Migration = {
  name: '007-audit',
  sql: `
    -- Root of that placement's table: what the epoch's inputs give. Null for epochs of before.
    alter table epochs add column target text;
  `,
};
