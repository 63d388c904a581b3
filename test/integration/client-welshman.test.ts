import { Pool, PublishStatus, publish, request } from '@welshman/net';
import { describeClientLibrary } from './client-library.ts';

describeClientLibrary('@welshman/net', () => {
  const pool = new Pool();
  const context = { pool };
  return {
    async publish(url, event) {
      const { [url]: answer } = await publish({ event, relays: [url], context, timeout: 3000 });
      return { accepted: answer!.status === PublishStatus.Success, text: answer!.detail };
    },
    async read(url, filter) {
      const end = new AbortController();
      const options = { relays: [url], filters: [filter], context, autoClose: true, signal: end.signal };
      return (await request(options)) as never;
    },
    subscribe(urls, filter, onEvent) {
      const end = new AbortController();
      void request({
        relays: [...urls],
        filters: [filter],
        context,
        signal: end.signal,
        onEvent: (event) => onEvent(event as never),
      });
      return () => end.abort();
    },
    close: () => pool.clear(),
  };
});
