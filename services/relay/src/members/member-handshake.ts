import { isPrivateRelayUrl } from '@covey/nostr';
import WebSocket from 'ws';
import { signAuth } from '../auth.ts';
import type { LinkOptions } from './member-link.ts';
import { MemberUnreachableError } from './member-unreachable.ts';
import { PlainRelay } from './plain-relay.ts';
import { publicLookup } from './public-lookup.ts';
import { readRelayInformation } from './relay-information.ts';

/** A member answers at once that it is one; after this long in silence its information document is looked at. */
const GREETING_MS = 500;

export interface OpenedLink {
  socket: WebSocket;
  /** Set when it is no reference member: nothing but NIP-01 is said to it. */
  plain: PlainRelay | undefined;
}

export interface HandshakeOptions extends LinkOptions {
  id: string;
  url: string;
  /** Messages that come once the link is open. */
  onFrame: (frame: readonly unknown[], bytes: number) => void;
}

/**
 * Opens a connection to another member and proves who this one is: `["COVEY-MEMBER",<id>]` is answered by the same with the
 * other's id, and by AUTH (NIP-42). A relay that knows no such message, and whose information document has no `covey`
 * field, is a plain one. @throws MemberUnreachableError
 */
export function openMemberSocket(options: HandshakeOptions): Promise<OpenedLink> {
  const { id, url, self, allowPrivate, connectMs, frameBytesMax, clock, onFrame } = options;
  if (!allowPrivate && isPrivateRelayUrl(url))
    return Promise.reject(
      new MemberUnreachableError(`${url} is a private address; only the local profile connects to one`),
    );
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(url, {
      handshakeTimeout: connectMs,
      maxPayload: frameBytesMax,
      perMessageDeflate: false,
      followRedirects: false,
      ...(allowPrivate ? {} : { lookup: publicLookup }),
    });
    let authId: string | undefined;
    let isMember = false;
    let isOpen = false;
    let looking = false;
    let greeting: NodeJS.Timeout | undefined;
    const endTimers = () => {
      clearTimeout(timer);
      clearTimeout(greeting);
    };
    const fail = (cause: unknown) => {
      endTimers();
      if (isOpen) return;
      socket.terminate();
      const text = cause instanceof Error ? cause.message : String(cause);
      reject(new MemberUnreachableError(`${url}: ${text}`, { cause }));
    };
    const done = (plain: PlainRelay | undefined) => {
      if (isOpen || socket.readyState !== WebSocket.OPEN) return;
      isOpen = true;
      endTimers();
      resolve({ socket, plain });
    };
    const lookIfPlain = async () => {
      if (looking || isMember) return;
      looking = true;
      const information = await readRelayInformation(url, { allowPrivate, timeoutMs: connectMs });
      if (information && !information['covey'] && !isMember) done(new PlainRelay(information));
    };
    const timer = setTimeout(() => fail(`no answer within ${connectMs} ms`), connectMs);
    socket.on('error', (error) => {
      fail(error);
      socket.terminate();
    });
    socket.on('close', (code) => fail(`closed with ${code}`));
    socket.on('open', () => {
      socket.send(JSON.stringify(['COVEY-MEMBER', self.pubkey]));
      greeting = setTimeout(() => void lookIfPlain(), GREETING_MS);
    });
    socket.on('message', (data) => {
      const frame = readFrame(data);
      if (!frame) return;
      if (isOpen) return onFrame(frame, (data as Buffer).length);
      const [type, value, accepted, reason] = frame;
      if (type === 'COVEY-MEMBER') {
        if (value !== id) return fail(`another member answers there: ${String(value).slice(0, 64)}`);
        isMember = true;
      } else if (type === 'AUTH' && typeof value === 'string' && !authId) {
        const auth = signAuth(self, value, url, Math.floor(clock() / 1000));
        authId = auth.id;
        socket.send(JSON.stringify(['AUTH', auth]));
      } else if (type === 'OK' && value === authId && isMember) {
        if (accepted === true) done(undefined);
        else fail(`it refused our AUTH: ${String(reason).slice(0, 200)}`);
      } else if (type === 'NOTICE') void lookIfPlain();
    });
  });
}

function readFrame(data: WebSocket.RawData): unknown[] | undefined {
  try {
    const frame: unknown = JSON.parse(data.toString());
    return Array.isArray(frame) ? frame : undefined;
  } catch {
    return undefined;
  }
}
