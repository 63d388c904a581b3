import { type Client, ClientBuilder, Duration, Event, Filter, loadWasmSync } from '@rust-nostr/nostr-sdk';
import { unrefTimers } from '../support/unref-timers.ts';
import { type ClientFilter, describeClientLibrary } from './client-library.ts';

unrefTimers();

const READ_SECONDS = 5;

describeClientLibrary('rust-nostr', () => {
  loadWasmSync();
  const client: Client = new ClientBuilder().build();
  const known = new Set<string>();
  const toFilter = (filter: ClientFilter) => Filter.fromJson(JSON.stringify(filter));
  const toEvent = (event: Event) => JSON.parse(event.asJson());
  const connect = async (urls: readonly string[]) => {
    const added = urls.filter((url) => !known.has(url));
    for (const url of added) {
      known.add(url);
      await client.addRelay(url);
      await client.connectRelay(url);
    }
    if (added.length > 0) await client.waitForConnection(Duration.fromSecs(READ_SECONDS));
  };
  const listeners = new Map<string, (event: Event) => void>();
  const notifications = client.handleNotifications({
    handleEvent: async () => false,
    handleMsg: async (_url, message) => {
      const frame = JSON.parse(message.asJson());
      if (frame[0] === 'EVENT') listeners.get(frame[1])?.(frame[2]);
      return false;
    },
  });
  let next = 0;
  return {
    async publish(url, event) {
      await connect([url]);
      const { success, failed } = await client.sendEventTo([url], Event.fromJson(JSON.stringify(event)));
      return { accepted: success.length > 0, text: failed[0]?.error ?? '' };
    },
    async read(url, filter) {
      await connect([url]);
      const events = await client.fetchEventsFrom([url], toFilter(filter), Duration.fromSecs(READ_SECONDS));
      return events.toVec().map(toEvent);
    },
    subscribe(urls, filter, onEvent) {
      const id = `s${next++}`;
      listeners.set(id, onEvent as never);
      void connect(urls).then(() => client.subscribeWithIdTo([...urls], id, toFilter(filter)));
      return () => {
        listeners.delete(id);
        void client.unsubscribe(id);
      };
    },
    async close() {
      notifications.abort();
      await client.shutdown();
    },
  };
});
