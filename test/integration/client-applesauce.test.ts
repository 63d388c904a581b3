import { RelayPool } from 'applesauce-relay';
import { lastValueFrom, toArray } from 'rxjs';
import WebSocket from 'ws';
import { describeClientLibrary } from './client-library.ts';

describeClientLibrary('applesauce-relay', () => {
  const pool = new RelayPool({ WebSocket: WebSocket as never, keepAlive: 200 });
  return {
    async publish(url, event) {
      const { ok, message } = await pool.relay(url).publish(event, { retries: 0 });
      return { accepted: ok, text: message ?? '' };
    },
    read: (url, filter) => lastValueFrom(pool.relay(url).request(filter).pipe(toArray())),
    subscribe(urls, filter, onEvent) {
      const subscription = pool.subscription([...urls], filter).subscribe((event) => onEvent(event));
      return () => subscription.unsubscribe();
    },
    close: () => pool.close(),
  };
});
