import { MOVE_PHASES } from '@covey/table';
import { type Static, Type } from '@sinclair/typebox';

/** Shapes of the answers, for OpenAPI and for serializing. What they do not name is not sent. */

const Hex64 = Type.String({ description: '64 lower-case hex digits' });
const Count = Type.Integer({ minimum: 0 });
const Nullable = <T extends Parameters<typeof Type.Union>[0][number]>(type: T) =>
  Type.Union([type, Type.Null()]);

export const Relay = Type.Object({ id: Hex64, url: Type.String() });

const Relays = {
  master: Relay,
  replicas: Type.Array(Relay, { description: 'By seniority: the first replaces a dead master' }),
  readCopies: Type.Array(Relay, { description: 'Written by members, never by clients' }),
};

export const Placement = Type.Object(
  {
    pubkey: Hex64,
    epoch: Count,
    source: Type.Union([Type.Literal('table'), Type.Literal('slot'), Type.Literal('pin')], {
      description:
        'table: a group lists the account · pin: its own relay list decides · slot: by hash of the key',
    }),
    group: Type.Integer({ description: 'The first 4,096 groups are the slots' }),
    hub: Type.Boolean(),
    ...Relays,
    now: Type.Optional(
      Type.Object(
        { write: Type.Array(Type.String()), read: Type.Array(Type.String()) },
        {
          description:
            'While one of these members is dead or catches up: the relays to write and read, the acting master first; empty while no copy lives',
        },
      ),
    ),
    move: Type.Optional(
      Type.Object(
        { phase: Type.String(), from: Type.Object(Relays) },
        { description: 'While the group changes members' },
      ),
    ),
  },
  { $id: 'Placement' },
);

export const KeyProofDocument = Type.Object(
  {
    pubkey: Hex64,
    epoch: Count,
    manifest: Type.String({ description: 'Id of the manifest event, whose root the pages lead to' }),
    tableBytes: Count,
    at: Type.Object(
      { row: Count, exception: Count, move: Count },
      { description: 'Where the key stands, or would stand, among rows, exceptions and moves' },
    ),
    pages: Type.Array(
      Type.Object({
        index: Count,
        bytes: Type.String({ description: 'Base64' }),
        path: Type.Array(Hex64, { description: 'Sibling hashes up to the root' }),
      }),
    ),
  },
  { $id: 'KeyProof' },
);
export type KeyProofDocument = Static<typeof KeyProofDocument>;

export const PlanBody = Type.Object(
  {
    pubkeys: Type.Optional(
      Type.Array(Type.String(), { maxItems: 100_000, description: 'npubs, nprofiles or 64 hex digits' }),
    ),
    follows: Type.Optional(
      Type.String({ description: 'Instead of pubkeys: plan for all that this account follows' }),
    ),
    maxRelays: Type.Optional(
      Type.Integer({ minimum: 1, description: 'Open at most so many; the rest is uncovered' }),
    ),
    copies: Type.Optional(
      Type.Integer({ minimum: 1, maximum: 255, default: 1, description: 'Read each key from so many' }),
    ),
    reader: Type.Optional(
      Type.String({
        description:
          'Who reads: an npub, or 64 hex digits that the client made up and keeps. Readers spread over equal relays by it. With "follows", that account by default; else a number made of the list',
      }),
    ),
  },
  { $id: 'PlanRequest', examples: [{ pubkeys: ['npub1…'], maxRelays: 8 }] },
);

export const Plan = Type.Object(
  {
    epoch: Count,
    relays: Type.Array(
      Type.Object({
        id: Hex64,
        url: Type.String(),
        pubkeys: Type.Array(Type.Integer(), { description: 'Indexes into the list that was sent' }),
      }),
      { description: 'Those that serve most first' },
    ),
    uncovered: Type.Array(Type.Integer(), {
      description: 'Indexes that the plan serves from fewer relays than asked',
    }),
    originsKnown: Type.Boolean({
      description:
        'Whether this API has read relay lists: if not, `external` is empty because nothing is known',
    }),
    mirrored: Type.Array(
      Type.Object({
        since: Type.Integer({ description: 'Unix seconds; 0: everything', minimum: 0 }),
        pubkeys: Type.Array(Type.Integer()),
      }),
      {
        description:
          'Accounts that write to relays of their own and are mirrored by their master: what they wrote since then is there',
      },
    ),
    external: Type.Array(Type.Object({ url: Type.String(), pubkeys: Type.Array(Type.Integer()) }), {
      description:
        'Accounts that write to relays of their own and are not mirrored: read them there too, or their feed is empty. A key stands under each of up to four relays. Keys in neither list are native',
    }),
    pubkeys: Type.Optional(
      Type.Array(Hex64, { description: 'With "follows": the list that indexes point into' }),
    ),
  },
  { $id: 'Plan' },
);

const Price = Type.Integer({ minimum: 1, maximum: 16_777_216 });

export const Prices = Type.Object(
  {
    epoch: Count,
    unit: Type.Integer({ description: 'The price of everybody while no load is known' }),
    members: Type.Array(Type.Object({ id: Hex64, open: Price, read: Price }), {
      description: 'In the order of the table',
    }),
  },
  { $id: 'Prices' },
);

export const Load = Type.Object({
  connections: Count,
  subscriptions: Count,
  events: Count,
  bytes: Count,
  writesPerSecond: Type.Number(),
  readsPerSecond: Type.Number(),
  spooled: Count,
});

export const Member = Type.Object(
  {
    id: Hex64,
    url: Type.String(),
    name: Type.String(),
    operator: Type.String(),
    placement: Type.Union([Type.Literal('active'), Type.Literal('draining')]),
    state: Type.Union(
      (['up', 'late', 'down', 'unknown'] as const).map((state) => Type.Literal(state)),
      { description: 'By its heartbeats; unknown when this API cannot hear them' },
    ),
    standing: Nullable(
      Type.Union(
        (['alive', 'returning', 'suspect', 'dead', 'absent'] as const).map((standing) =>
          Type.Literal(standing),
        ),
        { description: 'As most members say that probe it; null when too few of them are heard here' },
      ),
    ),
    appliedEpoch: Nullable(Count),
    refused: Nullable(Type.Object({ epoch: Count, reason: Type.String() })),
    silentMs: Nullable(Count),
    software: Nullable(Type.String()),
    load: Nullable(Load),
    capacity: Type.Object({ copies: Type.Number(), connections: Type.Number(), reads: Type.Number() }),
    masters: Type.Integer({ description: 'Accounts whose master it is' }),
    replicas: Type.Integer({ description: 'Accounts of which it holds a replica' }),
    readCopies: Type.Integer({ description: 'Accounts of which it holds a read copy' }),
    incoming: Type.Integer({ description: 'Moving groups that it gets' }),
    outgoing: Type.Integer({ description: 'Moving groups that leave it' }),
    filling: Nullable(
      Type.Integer({
        description: 'Moving groups whose copy it is filling: moves wait for it; null: it did not say',
      }),
    ),
    groups: Type.Integer({ description: 'Groups held in any role' }),
    slots: Type.Integer({ description: 'Slots whose master it is' }),
  },
  { $id: 'Member' },
);
export type Member = Static<typeof Member>;

export const ExternalAccounts = Type.Object({
  epoch: Count,
  accounts: Type.Array(Type.Object({ pubkey: Hex64, write: Type.Array(Type.String()) })),
});

export const Members = Type.Object({ epoch: Count, members: Type.Array(Member) });

export const Status = Type.Object(
  {
    ready: Type.Boolean({ description: 'A placement table is at hand' }),
    cluster: Type.String(),
    epoch: Type.Integer({ description: '0 when there is none' }),
    createdAt: Nullable(Type.String({ format: 'date-time' })),
    root: Nullable(Hex64),
    accounts: Count,
    follows: Count,
    communities: Count,
    groups: Count,
    moved: Type.Integer({ description: 'Accounts whose members the last epoch changed' }),
    moves: Type.Integer({ description: 'Groups on their way to other members' }),
    movesByPhase: Type.Record(Type.Union(MOVE_PHASES.map((phase) => Type.Literal(phase))), Type.Integer(), {
      description: 'The same by phase: write to both and read the old list, copy, read the new one, clean up',
    }),
    nats: Type.Union(
      (['connected', 'away', 'unset'] as const).map((state) => Type.Literal(state)),
      { description: 'Whether new epochs and heartbeats can reach this API' },
    ),
    admin: Type.Boolean({ description: 'Whether /v1/admin is open here' }),
    members: Type.Array(Member),
  },
  { $id: 'Status' },
);
export type Status = Static<typeof Status>;

export const Epochs = Type.Object(
  {
    epochs: Type.Array(
      Type.Object({
        epoch: Count,
        createdAt: Type.String({ format: 'date-time' }),
        root: Hex64,
        accounts: Count,
        groups: Count,
        moved: Count,
        manifestId: Hex64,
      }),
      { description: 'Newest first' },
    ),
    next: Nullable(Type.Integer({ description: 'Pass as "before" to get older ones; null at the end' })),
    partial: Type.Optional(
      Type.String({
        description: 'Set when the history is not at hand: why only the current epoch is listed',
      }),
    ),
  },
  { $id: 'Epochs' },
);
export type Epochs = Static<typeof Epochs>;

export const Problem = Type.Object(
  { type: Type.String(), title: Type.String(), status: Type.Integer(), detail: Type.String() },
  { $id: 'Problem', description: 'RFC 9457' },
);

/** What a route's OpenAPI entry lists for its failures. */
export const problemResponse = (description: string) => ({
  description,
  content: { 'application/problem+json': { schema: Problem } },
});

const CommunityFields = {
  id: Type.Integer(),
  label: Type.String({ description: 'Name of its most followed account' }),
  accounts: Count,
  follows: Type.Integer({ description: 'Follows within it' }),
  members: Type.Array(Type.Tuple([Hex64, Count]), {
    description: 'Where its accounts’ masters are: [member id, accounts]',
  }),
};

export const AdminCommunities = Type.Object({
  epoch: Count,
  communities: Type.Array(Type.Object(CommunityFields)),
});

export const AdminCommunity = Type.Object({
  epoch: Count,
  ...CommunityFields,
  top: Type.Array(
    Type.Object({ pubkey: Hex64, npub: Type.String(), name: Type.String(), followers: Count }),
    { description: 'Most followed first; an empty name is not known' },
  ),
});

export const AdminGraph = Type.Object({
  epoch: Count,
  nodes: Type.Array(
    Type.Object({
      id: Type.Integer(),
      label: Type.String(),
      accounts: Count,
      member: Type.String({ description: 'Id of the member that masters most of it' }),
    }),
  ),
  edges: Type.Array(Type.Tuple([Type.Integer(), Type.Integer(), Type.Number()]), {
    description: '[community, community, follows between them], strongest first',
  }),
});

const Trust = Type.Object({
  basis: Type.Union([Type.Literal('seeds'), Type.Literal('equal')], {
    description: 'equal: no seeds are declared, every account counts alike, nothing is resisted',
  }),
  seeds: Count,
  unknownSeeds: Count,
  readers: Type.Integer({ description: 'Accounts that count as readers' }),
  placed: Type.Integer({ description: 'Accounts that the search placed; the others live by hash' }),
  pinsRefused: Count,
});

const Capacity = Type.Object({ copies: Type.Number(), connections: Type.Number(), reads: Type.Number() });

export const AdminAuthority = Type.Object({
  members: Type.Array(
    Type.Object({
      id: Hex64,
      url: Type.String(),
      name: Type.String(),
      operator: Type.String(),
      state: Type.String({ description: 'requested, active, draining, suspended, left, refused' }),
      reason: Type.String(),
      leaving: Type.Boolean(),
      source: Type.String({ description: 'file or join' }),
      changedAt: Type.String(),
      declared: Capacity,
      capacity: Capacity,
      probes: Type.Array(
        Type.Object({
          at: Type.String(),
          outcome: Type.String({ description: 'ok, unreachable, astray' }),
          detail: Type.String(),
          ms: Type.Optional(Type.Number()),
        }),
      ),
    }),
  ),
  coordinators: Type.Array(
    Type.Object({ name: Type.String(), pubkey: Hex64, seenAt: Type.String(), leads: Type.Boolean() }),
  ),
  paused: Nullable(Type.Object({ at: Type.String(), reason: Type.String() })),
  log: Type.Array(
    Type.Object({
      id: Type.Integer(),
      at: Type.String(),
      actor: Type.String(),
      action: Type.String(),
      subject: Type.Optional(Type.String()),
      detail: Type.Object({}, { additionalProperties: true }),
    }),
  ),
});

export const AdminEpoch = Type.Object({
  epoch: Count,
  moved: Type.Object({
    accounts: Count,
    byReason: Type.Record(Type.String(), Count, {
      description:
        'The first reason that fits: member left, member draining, denial, pin, trust, member joined, readers (they open fewer relays), balance (load); and new and gone accounts',
    }),
  }),
  members: Type.Array(
    Type.Object({
      id: Hex64,
      came: Type.Integer({ description: 'Copies of moved accounts that it got' }),
      left: Type.Integer({ description: 'Copies of moved accounts that it gave up' }),
      connections: Type.Number({
        description: 'Readers that open it against the mean, for its declared capacity',
      }),
      reads: Type.Number(),
    }),
  ),
  trust: Nullable(Trust),
  figures: Type.Record(Type.String(), Type.Number(), {
    description: 'fanout: relays that a reader opens, mean …',
  }),
  ms: Type.Record(Type.String(), Type.Number(), { description: 'Milliseconds by phase' }),
});

const ExplainedMember = { id: Hex64, name: Type.String(), url: Type.String() };
const Readers = Type.Integer({ description: 'Readers, of those looked at, that follow the account' });

export const AdminAccount = Type.Object(
  {
    epoch: Type.Integer({ description: 'Epoch of the placement that is explained' }),
    pubkey: Hex64,
    npub: Type.String(),
    source: Placement.properties.source,
    group: Type.Integer(),
    hub: Type.Boolean(),
    why: Type.Array(Type.String(), { description: 'The same in sentences, the decisive one first' }),
    community: Nullable(Type.Object({ id: Type.Integer(), label: Type.String() })),
    followers: Nullable(Type.Integer({ description: 'In the whole graph' })),
    readers: Readers,
    readersLookedAt: Type.Integer({ description: 'A sample of all accounts that follow five or more' }),
    holders: Type.Array(
      Type.Object({
        ...ExplainedMember,
        role: Type.Union([Type.Literal('master'), Type.Literal('replica'), Type.Literal('read copy')]),
        readers: Readers,
        needed: Type.Integer({ description: 'Of them, those for whom this is the only copy they have open' }),
      }),
    ),
    open: Type.Array(Type.Object({ ...ExplainedMember, readers: Readers, holds: Type.Boolean() }), {
      description: 'Members that its readers have open, most first',
    }),
    pins: Type.Array(Type.Object({ ...ExplainedMember, hard: Type.Boolean(), reason: Type.String() }), {
      description: 'Members that its own relay list names',
    }),
    alternatives: Type.Array(
      Type.Object({
        from: Type.Object(ExplainedMember),
        to: Type.Object(ExplainedMember),
        relays: Type.Integer({ description: 'Relays more that its readers would open in all' }),
        fanout: Type.Number({ description: 'The same for the mean of all readers looked at' }),
        connections: Type.Number({ description: 'Load of `to`: readers that open it, against the mean' }),
        reads: Type.Number(),
      }),
      { description: 'One copy elsewhere, everything else staying, cheapest first' },
    ),
  },
  { $id: 'AdminAccount' },
);
export type AdminAccount = Static<typeof AdminAccount>;
