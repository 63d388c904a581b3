import type { NostrEvent } from '@covey/nostr';
import { WebSocket } from 'ws';

const FRAME_BYTES_MAX = 1 << 20;
const EVENTS_MAX = 5000;

/** A relay could not be reached, or did not answer in time. */
export class RelayUnreachableError extends Error {
  override name = 'RelayUnreachableError';
}

/** Opens a relay, sends one frame, hands every answer to `onFrame` until it returns a value, and closes. */
async function converse<T>(
  url: string,
  frame: unknown[],
  timeoutMs: number,
  onFrame: (answer: unknown[]) => T | undefined,
): Promise<T> {
  const socket = new WebSocket(url, {
    handshakeTimeout: timeoutMs,
    maxPayload: FRAME_BYTES_MAX,
    perMessageDeflate: false,
  });
  let timer: NodeJS.Timeout | undefined;
  try {
    return await new Promise<T>((resolve, reject) => {
      const fail = (reason: string) => reject(new RelayUnreachableError(`${url} ${reason}`));
      timer = setTimeout(() => fail(`did not answer within ${timeoutMs / 1000} s`), timeoutMs);
      socket.on('open', () => socket.send(JSON.stringify(frame)));
      socket.on('error', (error) =>
        fail(`can't be reached: ${error.message || (error as NodeJS.ErrnoException).code}`),
      );
      socket.on('close', () => fail('closed the connection'));
      socket.on('message', (data) => {
        let answer: unknown;
        try {
          answer = JSON.parse(data.toString());
        } catch {
          return; // not a Nostr frame: the time-out decides
        }
        const result = Array.isArray(answer) ? onFrame(answer) : undefined;
        if (result !== undefined) resolve(result);
      });
    });
  } finally {
    clearTimeout(timer);
    socket.removeAllListeners('close');
    socket.close();
  }
}

/** Publishes an event and waits for its OK. @throws RelayUnreachableError */
export async function publishTo(
  url: string,
  event: NostrEvent,
  timeoutMs = 10_000,
): Promise<{ ok: boolean; message: string }> {
  return await converse(url, ['EVENT', event], timeoutMs, ([type, id, ok, message]) =>
    type === 'OK' && id === event.id ? { ok: ok === true, message: String(message ?? '') } : undefined,
  );
}

/** Stored events that fit a filter, and what the relay says of others (NIP-67). @throws RelayUnreachableError */
export async function readFrom(
  url: string,
  filter: Record<string, unknown>,
  timeoutMs = 10_000,
): Promise<{ events: NostrEvent[]; complete: boolean; message: string }> {
  const events: NostrEvent[] = [];
  return await converse(url, ['REQ', 'covey', filter], timeoutMs, ([type, , body]) => {
    if (type === 'EVENT' && events.length < EVENTS_MAX) events.push(body as NostrEvent);
    else if (type === 'EOSE')
      return { events, complete: !(Array.isArray(body) && body.includes('more')), message: '' };
    else if (type === 'CLOSED') return { events, complete: false, message: String(body ?? '') };
    return undefined;
  });
}
