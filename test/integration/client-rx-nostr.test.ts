import { verifyEvent } from 'nostr-tools/pure';
import { createRxBackwardReq, createRxForwardReq, createRxNostr, type EventSigner } from 'rx-nostr';
import { lastValueFrom, toArray } from 'rxjs';
import WebSocket from 'ws';
import { describeClientLibrary } from './client-library.ts';

/** Events come signed: the library would sign by itself, and has nothing to add. */
const signed: EventSigner = {
  signEvent: async (event) => event as never,
  getPublicKey: async () => '',
};

describeClientLibrary('rx-nostr', () => {
  const rxNostr = createRxNostr({
    verifier: async (event) => verifyEvent(event),
    signer: signed,
    websocketCtor: WebSocket as never,
    retry: { strategy: 'immediately', maxCount: 3 },
    disconnectTimeout: 1000,
  });
  return {
    async publish(url, event) {
      const answer = await lastValueFrom(rxNostr.send(event, { on: { relays: [url] } }));
      return { accepted: answer.ok, text: answer.notice ?? '' };
    },
    async read(url, filter) {
      const request = createRxBackwardReq();
      const packets = lastValueFrom(rxNostr.use(request, { on: { relays: [url] } }).pipe(toArray()));
      request.emit(filter);
      request.over();
      return (await packets).map(({ event }) => event);
    },
    subscribe(urls, filter, onEvent) {
      const request = createRxForwardReq();
      const subscription = rxNostr
        .use(request, { on: { relays: [...urls] } })
        .subscribe(({ event }) => onEvent(event));
      request.emit(filter);
      return () => subscription.unsubscribe();
    },
    close: () => rxNostr.dispose(),
  };
});
