import type { Migration } from '../migrate.ts';

/** Why each account stands where it does: of the newest placement alone, some 256 accounts a row. */
export const explanations: Migration = {
  name: '005-explanations',
  sql: `
    create table epoch_explanations (
      epoch bigint not null references epochs,
      -- The least public key of the row; an account is in the row of the greatest first_key that is not above it.
      first_key bytea not null,
      -- A JSON list, gzip: a tenth of its size, read whole, never searched.
      accounts bytea not null,
      primary key (first_key, epoch)
    );
  `,
};
