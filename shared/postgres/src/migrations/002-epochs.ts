import type { Migration } from '../migrate.ts';

/** Epochs and who may write them. PostgreSQL is the authority; NATS only carries what stands here. */
export const epochs: Migration = {
  name: '002-epochs',
  sql: `
    -- One row: who leads. fence rises with every change of leader; an epoch is written only under the current fence.
    create table coordinator_lease (
      only_row boolean primary key default true check (only_row),
      holder text not null,
      fence bigint not null,
      expires_at timestamptz not null
    );

    create table epochs (
      epoch bigint primary key,
      fence bigint not null,
      -- Unix seconds: an input of the placement, not the time of this row.
      created_at bigint not null,
      reason text not null,
      -- The signed event, byte for byte (json keeps the text, jsonb would not).
      manifest json not null,
      manifest_id text not null unique,
      root text not null,
      inputs text not null,
      -- Digest of graph, members, pins and options alone: the same as the last epoch's means nothing to place.
      snapshot text not null,
      accounts integer not null,
      follows bigint not null,
      communities integer not null,
      groups integer not null,
      moved integer not null,
      -- Whole tables of the last few epochs; older ones are null.
      table_bytes bytea,
      -- From the epoch before; null for the first.
      delta bytea
    );

    -- Written in the transaction of its epoch; deleted once NATS has it. What is left after a crash is published again.
    create table epoch_outbox (
      epoch bigint primary key references epochs
    );

    create table epoch_reports (
      epoch bigint primary key references epochs,
      report jsonb not null
    );
  `,
};
