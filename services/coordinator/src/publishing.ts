import { type NatsLink, TablePublisher } from '@covey/nats';

/** Where epochs go out. A port: NATS, or a network that is made up. */
export interface Publishing {
  /** Calls `listener` on every connect from now on, and at once when connected already. Returns how to stop it. */
  onConnect(listener: () => void): () => void;
  /** Undefined without a connection. */
  publisher():
    | Pick<TablePublisher, 'prepare' | 'publish' | 'publishRevocations' | 'publishCosignatures'>
    | undefined;
}

/** @param replicas copies that JetStream keeps; 1 when not given */
export function publishingOver(link: NatsLink, cluster: string, replicas?: number): Publishing {
  return {
    onConnect: (listener) => link.onConnect(listener),
    publisher: () => link.connection && new TablePublisher(link.connection, cluster, replicas),
  };
}
