import type { Migration } from '../migrate.ts';

/**
 * The follow graph and where it came from. Sized for 400,000 accounts with 20 million follows: a list is one row, its
 * followees are 4 bytes each, so all lists are about 100 MB and nothing is indexed by follow.
 */
export const graph: Migration = {
  name: '001-graph',
  sql: `
    -- Every key that a list was written by or names. Ids are dense (only missing keys are inserted) and never reused.
    create table accounts (
      id integer generated always as identity primary key,
      pubkey bytea not null unique check (octet_length(pubkey) = 32)
    );

    -- What people call the account, from its kind 0 or from a snapshot. Display only.
    create table profiles (
      account_id integer primary key references accounts,
      name text not null,
      created_at bigint not null,
      list_id bytea not null,
      signed boolean not null
    );

    -- The list that stands, one an account. Which of two lists stands: graph-store/newest-wins.ts.
    create table follow_lists (
      account_id integer primary key references accounts,
      -- Unix seconds, as the author (or, for an unsigned list, the source) says.
      created_at bigint not null,
      -- The id of the event; of an unsigned list the SHA-256 of its followees, so that ties break the same way.
      list_id bytea not null check (octet_length(list_id) = 32),
      -- Whether id and signature of an event were checked. A list that is not signed never replaces one that is.
      signed boolean not null,
      source text not null,
      followee_count integer not null,
      -- Account ids as little-endian u32, ascending, each once, the author left out.
      followees bytea not null check (octet_length(followees) = 4 * followee_count)
    );
    -- Ids do not compress: do not try.
    alter table follow_lists alter column followees set storage external;

    create table relay_lists (
      account_id integer primary key references accounts,
      created_at bigint not null,
      list_id bytea not null check (octet_length(list_id) = 32),
      signed boolean not null,
      source text not null,
      -- [{url, read, write}] in the author's order.
      entries jsonb not null
    );

    -- Signed lists dated in the future: looked at again once due. One an author and kind, the one due first.
    create table future_lists (
      pubkey bytea not null,
      kind integer not null,
      created_at bigint not null,
      source text not null,
      -- The event as JSON.
      event text not null,
      primary key (pubkey, kind)
    );
    create index future_lists_due on future_lists (created_at);

    create table ingest_runs (
      id bigint generated always as identity primary key,
      source jsonb not null,
      state text not null check (state in ('running', 'complete', 'partial', 'failed')),
      counts jsonb not null,
      -- Why the run is partial or failed, and how far it came.
      error text,
      started_at timestamptz not null,
      -- Touched with every batch, so that a run whose process died can be told from one that is under way.
      updated_at timestamptz not null,
      finished_at timestamptz
    );

    -- How far each relay has been read, for each kind. Relays answer newest first, so a sweep goes back in time from
    -- sweep_top to floor; next_until is where it goes on. A finished sweep (done) sets where the next one may end.
    create table relay_cursors (
      url text not null,
      kind integer not null,
      sweep_top bigint not null,
      next_until bigint not null,
      floor bigint not null,
      done boolean not null,
      updated_at timestamptz not null,
      primary key (url, kind)
    );
  `,
};
