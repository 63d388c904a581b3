import type { Migration } from '../migrate.ts';

/** Who is a member, who may sign, who ordered what. */
export const authority: Migration = {
  name: '003-authority',
  sql: `
    create table members (
      -- The member's public key, hex.
      id text primary key check (id ~ '^[0-9a-f]{64}$'),
      url text not null,
      name text not null,
      operator text not null,
      -- {copies, connections, reads}: as the operator declared it, and as placement uses it.
      declared jsonb not null,
      capacity jsonb not null,
      state text not null check (state in ('requested', 'active', 'draining', 'suspended', 'left', 'refused')),
      -- Why it is in that state, for people.
      reason text not null default '',
      -- It asked to go: left as soon as the table names it nowhere.
      leaving boolean not null default false,
      -- Public nkey of its NATS user.
      nkey text,
      -- file: from the members file, which may change its name, URL, operator and capacity. join: it asked.
      source text not null check (source in ('file', 'join')),
      -- The signed request and the signed admission, byte for byte.
      request json,
      admission json,
      changed_at timestamptz not null default now()
    );
    create unique index members_url on members (url) where state in ('requested', 'active', 'draining', 'suspended');

    -- Who did what. Only ever appended to.
    create table authority_log (
      id bigint generated always as identity primary key,
      at timestamptz not null default now(),
      -- A public key (hex), or database:user@host for whoever used the database itself.
      actor text not null,
      action text not null,
      -- What it was done to: a member, an epoch, a coordinator.
      subject text,
      detail jsonb not null default '{}',
      -- The signed order, byte for byte; an order counts once.
      event json,
      event_id text unique
    );

    -- One row.
    create table controls (
      only_row boolean primary key default true check (only_row),
      -- While set, no new placement is made and no move is started.
      paused_at timestamptz,
      pause_reason text,
      -- Leadership is for this coordinator alone until then.
      preferred text,
      preferred_until timestamptz
    );
    insert into controls default values;

    -- Coordinators on this database, touched every few seconds.
    create table coordinators (
      name text primary key,
      pubkey text not null,
      started_at timestamptz not null,
      seen_at timestamptz not null
    );

    -- Root's word that a coordinator's key is void (kind 38423).
    create table revocations (
      pubkey text primary key,
      event json not null,
      at timestamptz not null default now()
    );

    -- Other coordinators' signatures over an epoch (kind 38424).
    create table cosignatures (
      epoch bigint not null references epochs,
      pubkey text not null,
      event json not null,
      primary key (epoch, pubkey)
    );

    -- Everything that decided an epoch, compressed, in pieces: what covey audit recomputes it from.
    create table epoch_inputs (
      epoch bigint not null references epochs,
      piece integer not null,
      bytes bytea not null,
      primary key (epoch, piece)
    );
    alter table epoch_inputs alter column bytes set storage external;
  `,
};
