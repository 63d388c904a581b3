import type { Migration } from '../migrate.ts';

/** What coordinators found when they used members as a client would. */
export const probes: Migration = {
  name: '006-probes',
  sql: `
    -- The last outcomes of each member; older ones are deleted.
    create table probes (
      id bigint generated always as identity primary key,
      member text not null references members on delete cascade,
      at timestamptz not null default now(),
      -- ok; unreachable (others look after that); astray: it acknowledges the table and does not keep to it.
      outcome text not null check (outcome in ('ok', 'unreachable', 'astray')),
      -- What was wrong, for people.
      detail text not null default '',
      -- From sending an event to its OK.
      ms integer
    );
    create index probes_member on probes (member, id desc);
  `,
};
