import NDK, { NDKEvent, NDKPublishError, NDKRelaySet, NDKSubscriptionCacheUsage } from '@nostr-dev-kit/ndk';
import { unrefTimers } from '../support/unref-timers.ts';
import { describeClientLibrary } from './client-library.ts';

unrefTimers();

describeClientLibrary('NDK', async () => {
  const ndk = new NDK({ enableOutboxModel: false });
  await ndk.connect();
  /** Explicit relays: those of a set alone stay open for half a minute after. */
  const relays = (urls: readonly string[]) =>
    new NDKRelaySet(new Set(urls.map((url) => ndk.addExplicitRelay(url))), ndk);
  return {
    async publish(url, event) {
      try {
        await new NDKEvent(ndk, event).publish(relays([url]), 5000);
        return { accepted: true, text: '' };
      } catch (error) {
        if (!(error instanceof NDKPublishError)) throw error;
        return { accepted: false, text: error.relayErrors };
      }
    },
    async read(url, filter) {
      const options = { closeOnEose: true, cacheUsage: NDKSubscriptionCacheUsage.ONLY_RELAY };
      const events = await ndk.fetchEvents(filter as never, options, relays([url]));
      return [...events].map((event) => event.rawEvent() as never);
    },
    subscribe(urls, filter, onEvent) {
      const subscription = ndk.subscribe(filter as never, {
        relaySet: relays(urls),
        closeOnEose: false,
        groupable: false,
        onEvent: (event: NDKEvent) => onEvent(event.rawEvent() as never),
      });
      return () => subscription.stop();
    },
    close() {
      for (const relay of ndk.pool.relays.values()) relay.disconnect();
    },
  };
});
