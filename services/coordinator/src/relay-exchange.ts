import { isPrivateRelayUrl, type NostrEvent } from '@covey/nostr';
import { WebSocket } from 'ws';
import { publicLookup } from './public-lookup.ts';

const FRAME_BYTES_MAX = 1 << 20;
const ANSWER_MS_MAX = 10_000;

export interface ExchangeOptions {
  /** `public`: never to an address inside somebody's network. */
  profile: 'local' | 'public';
  /** How long an answer may take; 10 s when not given. */
  answerMs?: number;
}

/** Publishes an event as any client does, and gives the relay's OK. @throws when it can't be reached, or is silent */
export async function publishEvent(
  url: string,
  event: NostrEvent,
  options: ExchangeOptions,
): Promise<{ ok: boolean; message: string }> {
  return await exchange(url, ['EVENT', event], options, ([type, id, ok, message]) =>
    type === 'OK' && id === event.id ? { ok: ok === true, message: String(message ?? '') } : undefined,
  );
}

/**
 * Sends one frame, hands every answer to `onFrame` until that gives something, and closes.
 * @throws when the relay can't be reached, or is silent
 */
export async function exchange<T>(
  url: string,
  frame: unknown[],
  { profile, answerMs = ANSWER_MS_MAX }: ExchangeOptions,
  onFrame: (answer: unknown[]) => T | undefined,
): Promise<T> {
  if (profile === 'public' && isPrivateRelayUrl(url)) throw new Error(`${url} is not on the public internet`);
  const socket = new WebSocket(url, {
    handshakeTimeout: answerMs,
    maxPayload: FRAME_BYTES_MAX,
    perMessageDeflate: false,
    ...(profile === 'public' ? { lookup: publicLookup } : {}),
  });
  let timer: NodeJS.Timeout | undefined;
  try {
    return await new Promise<T>((resolve, reject) => {
      timer = setTimeout(() => reject(new Error(`no answer in ${answerMs / 1000} s`)), answerMs);
      socket.on('open', () => socket.send(JSON.stringify(frame)));
      socket.on('error', reject);
      socket.on('close', () => reject(new Error('the connection was closed')));
      socket.on('message', (data) => {
        const answer = parse(data.toString());
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

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
