/**
 * Each step leads from the version of its index to the next. Never change one that was released.
 * `head` is the first 48 bits of an id as a number: it breaks ties of created_at in the order of ids without storing
 * ids in every index. Every index ends in (created_at DESC, head), so that any of them gives rows in answering order.
 */
export const MIGRATIONS: readonly string[] = [
  `
  CREATE TABLE events (
    seq INTEGER PRIMARY KEY,
    id BLOB NOT NULL UNIQUE,
    pubkey BLOB NOT NULL,
    kind INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    head INTEGER NOT NULL,
    expires_at INTEGER,
    address TEXT,
    json TEXT NOT NULL
  ) STRICT;
  CREATE INDEX events_by_author_kind ON events (pubkey, kind, created_at DESC, head);
  CREATE INDEX events_by_author ON events (pubkey, created_at DESC, head);
  CREATE INDEX events_by_kind ON events (kind, created_at DESC, head);
  CREATE INDEX events_by_time ON events (created_at DESC, head);
  CREATE UNIQUE INDEX events_by_address ON events (address) WHERE address IS NOT NULL;
  CREATE INDEX events_by_expiry ON events (expires_at) WHERE expires_at IS NOT NULL;

  CREATE TABLE tags (
    key BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    head INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    PRIMARY KEY (key, created_at DESC, head, seq)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE deleted_ids (
    id BLOB NOT NULL,
    pubkey BLOB NOT NULL,
    PRIMARY KEY (id, pubkey)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE deleted_addresses (
    address TEXT PRIMARY KEY,
    until INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE unplaced (seq INTEGER PRIMARY KEY) STRICT;

  CREATE TABLE spool (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id BLOB NOT NULL UNIQUE,
    hops INTEGER NOT NULL,
    spooled_at INTEGER NOT NULL,
    json TEXT NOT NULL
  ) STRICT;
  CREATE TABLE spool_destinations (
    member TEXT NOT NULL,
    seq INTEGER NOT NULL,
    PRIMARY KEY (member, seq)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX spool_destinations_by_seq ON spool_destinations (seq);
  `,
  // What was handed over to other members after the table took it from this one: an author, or one event.
  `
  CREATE TABLE handed_over (
    key BLOB PRIMARY KEY,
    destinations TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;
  `,
  // Events that are here because they tag somebody, and not for their author.
  'CREATE TABLE delivered (seq INTEGER PRIMARY KEY) STRICT;',
  // Accounts that asked to vanish (`pending`: some of what they wrote may still be there), and words for searches.
  `
  CREATE TABLE vanished (
    pubkey BLOB PRIMARY KEY,
    until INTEGER NOT NULL,
    pending INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE VIRTUAL TABLE search USING fts5(words, content = '', contentless_delete = 1, detail = none);
  `,
  // How far external accounts were read at their own relays (times are Unix seconds), and when to try a dead relay again.
  `
  CREATE TABLE mirror_cursors (
    pubkey BLOB NOT NULL,
    url TEXT NOT NULL,
    floor INTEGER NOT NULL,
    top INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    PRIMARY KEY (pubkey, url)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE mirror_relays (
    url TEXT PRIMARY KEY,
    failures INTEGER NOT NULL,
    retry_at INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  `,
  // When an account was handed over, Unix milliseconds: what is no longer placed here leaves some time after.
  'ALTER TABLE handed_over ADD COLUMN at INTEGER NOT NULL DEFAULT 0',
];
