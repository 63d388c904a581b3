import type { NostrEvent } from '@covey/nostr';
import { subjectsOf } from '@covey/protocol';
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { Objm } from '@nats-io/obj';
import type { NatsConnection } from '@nats-io/transport-node';

const MANIFESTS_KEPT = 1000;
// JetStream reserves these from its store when the streams are made: 656 MiB in all, under a store of 1 GiB.
const DELTA_BYTES_MAX = 128 << 20;
const ACK_BYTES_MAX = 16 << 20;
/** Three tables (two that stay, one on its way in) of 10 million accounts. */
const SNAPSHOT_BYTES_MAX = 512 << 20;
/** Snapshots that stay in the object store: the current one, and one for members that are on their way. */
const SNAPSHOTS_KEPT = 2;

/** Room for a message's headers under the server's limit. */
const HEADERS_BYTES = 1024;

/** What goes out for one epoch. */
export interface Publication {
  epoch: number;
  root: string;
  manifest: NostrEvent;
  snapshot: Uint8Array;
  /** Leads here from the epoch before; absent for the first, and where the delta would be larger than the snapshot. */
  delta?: Uint8Array | undefined;
  /** Of other coordinators. */
  cosignatures?: readonly NostrEvent[] | undefined;
}

/** Puts epochs on NATS. Publishing one again is harmless: names and contents are the same. */
export class TablePublisher {
  readonly #connection: NatsConnection;
  readonly #cluster: string;
  readonly #replicas: number;

  /** @param replicas copies that JetStream keeps: 1 on a single server, 3 in a NATS cluster. */
  constructor(connection: NatsConnection, cluster: string, replicas = 1) {
    this.#connection = connection;
    this.#cluster = cluster;
    this.#replicas = replicas;
  }

  /** Creates the streams and the bucket where they are missing, and brings their settings up to date. */
  async prepare(): Promise<void> {
    const s = subjectsOf(this.#cluster);
    const manager = await jetstreamManager(this.#connection);
    const ensure = async (config: { name: string } & Record<string, unknown>) => {
      try {
        await manager.streams.add(config as never);
      } catch {
        await manager.streams.update(config.name, config as never);
      }
    };
    await ensure({
      name: s.tableStream,
      subjects: [s.manifest, s.deltas, s.revocations, s.allCosignatures],
      storage: 'file',
      retention: 'limits',
      discard: 'old',
      max_msgs_per_subject: MANIFESTS_KEPT,
      max_bytes: DELTA_BYTES_MAX,
      allow_direct: true,
      num_replicas: this.#replicas,
    });
    await ensure({
      name: s.ackStream,
      subjects: [s.acks],
      storage: 'file',
      retention: 'limits',
      discard: 'old',
      max_msgs_per_subject: 1,
      max_bytes: ACK_BYTES_MAX,
      allow_direct: true,
      num_replicas: this.#replicas,
    });
    await new Objm(this.#connection).create(s.snapshotBucket, {
      storage: 'file' as never,
      max_bytes: SNAPSHOT_BYTES_MAX,
      replicas: this.#replicas,
      description: 'Covey placement tables by Merkle root',
    });
  }

  /** Snapshot first, then the delta, then the manifest: who sees the manifest finds the rest. Resolves when stored. */
  async publish({ epoch, root, manifest, snapshot, delta, cosignatures }: Publication): Promise<void> {
    const s = subjectsOf(this.#cluster);
    const js = jetstream(this.#connection);
    const bucket = await new Objm(this.#connection).open(s.snapshotBucket);
    if (!(await bucket.info(root)))
      await bucket.putBlob({ name: root, description: `epoch ${epoch}` }, snapshot);
    // A delta over the server's limit is left out: followers then take the snapshot, which goes in chunks.
    const payloadBytesMax = (this.#connection.info?.max_payload ?? 1 << 20) - HEADERS_BYTES;
    if (delta && delta.length <= payloadBytesMax)
      await js.publish(s.delta(epoch), delta, { msgID: `delta-${epoch}-${root}` });
    if (cosignatures?.length) await this.publishCosignatures(epoch, cosignatures);
    await js.publish(s.manifest, JSON.stringify(manifest), { msgID: manifest.id });
    // What could not be removed now is removed after the next epoch: this one is out.
    await this.#forgetOldSnapshots(bucket, epoch).catch(() => {});
  }

  /** Signatures that came after the manifest: followers that wait for them look again. */
  async publishCosignatures(epoch: number, cosignatures: readonly NostrEvent[]): Promise<void> {
    const { cosignatures: subject } = subjectsOf(this.#cluster);
    await jetstream(this.#connection).publish(subject(epoch), JSON.stringify(cosignatures));
  }

  /** All revocations: the last message is the list. */
  async publishRevocations(revocations: readonly NostrEvent[]): Promise<void> {
    await jetstream(this.#connection).publish(
      subjectsOf(this.#cluster).revocations,
      JSON.stringify(revocations),
    );
  }

  async #forgetOldSnapshots(bucket: Awaited<ReturnType<Objm['open']>>, epoch: number): Promise<void> {
    const epochOf = (description?: string) => Number(/^epoch (\d+)$/.exec(description ?? '')?.[1] ?? 0);
    const objects = (await bucket.list()).sort((a, b) => epochOf(b.description) - epochOf(a.description));
    for (const object of objects.slice(SNAPSHOTS_KEPT))
      if (epochOf(object.description) < epoch) await bucket.delete(object.name);
  }
}
