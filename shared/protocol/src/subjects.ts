/**
 * NATS subjects, streams and who may use them. README.md ("Over NATS") is the page for people; this file is what runs.
 * `c` is the cluster's name, `m` a member's public key (hex).
 */
export interface Subjects {
  /** Manifests, signed events as JSON. Last one = current epoch. In stream `tableStream`. */
  manifest: string;
  /** Deltas, binary, one subject an epoch that they lead to. In stream `tableStream`. */
  delta(epoch: number): string;
  deltas: string;
  /** What root keys have revoked: all of it, a JSON list of events. In stream `tableStream`. */
  revocations: string;
  /** Other coordinators' signatures over an epoch, a JSON list of events. In stream `tableStream`. */
  cosignatures(epoch: number): string;
  allCosignatures: string;
  tableStream: string;
  /** Object store bucket with snapshots (whole tables); an object's name is its Merkle root. */
  snapshotBucket: string;
  /** Acknowledgements of epochs, one subject a member, the last one kept. In stream `ackStream`. */
  ack(member: string): string;
  acks: string;
  ackStream: string;
  /** Heartbeats with load. Not stored. */
  heartbeat(member: string): string;
  heartbeats: string;
  /** External accounts that a member mirrors. Not stored; said again and again. */
  mirrored(member: string): string;
  mirroreds: string;
}

const CLUSTER = /^[a-z0-9][a-z0-9-]{0,31}$/;

export class InvalidClusterNameError extends Error {
  override name = 'InvalidClusterNameError';
}

/** @throws InvalidClusterNameError */
export function subjectsOf(cluster: string): Subjects {
  if (!CLUSTER.test(cluster))
    throw new InvalidClusterNameError(
      `"${cluster}" is no cluster name: 1 to 32 of a-z, 0-9 and -, a letter or digit first`,
    );
  const base = `covey.${cluster}`;
  return {
    manifest: `${base}.table.manifest`,
    delta: (epoch) => `${base}.table.delta.${epoch}`,
    deltas: `${base}.table.delta.*`,
    revocations: `${base}.table.revocations`,
    cosignatures: (epoch) => `${base}.table.cosignatures.${epoch}`,
    allCosignatures: `${base}.table.cosignatures.*`,
    tableStream: `covey-${cluster}-table`,
    snapshotBucket: `covey-${cluster}-snapshots`,
    ack: (member) => `${base}.member.${member}.ack`,
    acks: `${base}.member.*.ack`,
    ackStream: `covey-${cluster}-acks`,
    heartbeat: (member) => `${base}.member.${member}.heartbeat`,
    heartbeats: `${base}.member.*.heartbeat`,
    mirrored: (member) => `${base}.member.${member}.mirrored`,
    mirroreds: `${base}.member.*.mirrored`,
  };
}

export interface NatsPermissions {
  publish: { allow: string[] };
  subscribe: { allow: string[] };
}

/** Reading the table's stream and the snapshots, and nothing else of JetStream. */
function readTable(s: Subjects): string[] {
  const objects = `OBJ_${s.snapshotBucket}`;
  return [
    '$JS.API.INFO',
    ...[s.tableStream, objects].flatMap((stream) => [
      `$JS.API.STREAM.INFO.${stream}`,
      `$JS.API.DIRECT.GET.${stream}`,
      `$JS.API.DIRECT.GET.${stream}.>`,
      `$JS.API.STREAM.MSG.GET.${stream}`,
      `$JS.API.CONSUMER.CREATE.${stream}`,
      `$JS.API.CONSUMER.CREATE.${stream}.>`,
      `$JS.API.CONSUMER.INFO.${stream}.>`,
      `$JS.API.CONSUMER.DELETE.${stream}.>`,
      `$JS.API.CONSUMER.MSG.NEXT.${stream}.>`,
      `$JS.ACK.${stream}.>`,
    ]),
    '$JS.FC.>',
  ];
}

/** What a follower hears of at once. */
function pushed(s: Subjects): string[] {
  return [s.manifest, s.revocations, s.allCosignatures];
}

/** Inbox prefix of a NATS user: nobody else may subscribe to its replies. */
export function inboxPrefix(user: string): string {
  return `_INBOX.${user.slice(0, 16)}`;
}

/** What a member may do: read tables, publish its own ack, heartbeat and what it mirrors. */
export function memberPermissions(cluster: string, member: string): NatsPermissions {
  const s = subjectsOf(cluster);
  return {
    publish: { allow: [s.ack(member), s.heartbeat(member), s.mirrored(member), ...readTable(s)] },
    subscribe: { allow: [...pushed(s), `${inboxPrefix(member)}.>`] },
  };
}

/** What the api may do: read tables, and see acks, heartbeats and what is mirrored. */
export function apiPermissions(cluster: string): NatsPermissions {
  const s = subjectsOf(cluster);
  return {
    publish: {
      allow: [...readTable(s), `$JS.API.DIRECT.GET.${s.ackStream}`, `$JS.API.DIRECT.GET.${s.ackStream}.>`],
    },
    subscribe: { allow: [...pushed(s), s.acks, s.heartbeats, s.mirroreds, `${inboxPrefix('api')}.>`] },
  };
}

/** What a coordinator may do: everything of its cluster, and manage its own streams. */
export function coordinatorPermissions(cluster: string): NatsPermissions {
  const s = subjectsOf(cluster);
  return {
    publish: {
      allow: [`covey.${cluster}.>`, `$O.${s.snapshotBucket}.>`, '$JS.API.>', '$JS.ACK.>', '$JS.FC.>'],
    },
    subscribe: { allow: [`covey.${cluster}.>`, `${inboxPrefix('coordinator')}.>`] },
  };
}
