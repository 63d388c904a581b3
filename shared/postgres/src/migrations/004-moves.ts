import type { Migration } from '../migrate.ts';

/** Where accounts are on their way to. With the last epoch's table it is all that moves need to go on after a crash. */
export const moves: Migration = {
  name: '004-moves',
  sql: `
    create table placement_target (
      only_row boolean primary key default true check (only_row),
      -- The whole table that the last placement made, or a rollback asked for; nothing moves in it.
      table_bytes bytea not null,
      root text not null,
      since timestamptz not null default now(),
      -- [[group, epoch], …]: the epoch that brought each moving group of the last epoch to its phase.
      phases jsonb not null
    );
    alter table placement_target alter column table_bytes set storage external;
  `,
};
