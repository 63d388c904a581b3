import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

export interface FrameParts {
  /** 0 continuation, 1 text, 2 binary, 8 close, 9 ping. */
  opcode: number;
  payload: Uint8Array;
  final?: boolean;
  masked?: boolean;
  /** Bits that no extension has asked for. */
  reserved?: number;
  /** The length that the header claims, when it is not the payload's. */
  claims?: number;
}

/** A WebSocket frame as bytes (RFC 6455), right or wrong. */
export function frame({
  opcode,
  payload,
  final = true,
  masked = true,
  reserved = 0,
  claims = payload.length,
}: FrameParts): Buffer {
  const header = [(final ? 0x80 : 0) | (reserved << 4) | opcode];
  const maskBit = masked ? 0x80 : 0;
  if (claims < 126) header.push(maskBit | claims);
  else if (claims < 65_536) header.push(maskBit | 126, claims >> 8, claims & 255);
  else {
    const length = Buffer.alloc(8);
    length.writeBigUInt64BE(BigInt(claims));
    header.push(maskBit | 127, ...length);
  }
  if (!masked) return Buffer.concat([Buffer.from(header), payload]);
  const mask = randomBytes(4);
  return Buffer.concat([Buffer.from(header), mask, payload.map((byte, i) => byte ^ mask[i % 4]!)]);
}

/** A TCP connection to a relay on which any bytes can be said. */
export class RawSocket {
  readonly socket: Socket;
  #received: Buffer = Buffer.alloc(0);
  closed = false;

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.on('error', () => {});
    socket.on('data', (data) => {
      this.#received = Buffer.concat([this.#received, data]).subarray(-1_000_000);
    });
    socket.on('close', () => {
      this.closed = true;
    });
  }

  /** @param upgrade whether the WebSocket handshake is made */
  static async open(port: number, upgrade = true): Promise<RawSocket> {
    const raw = new RawSocket(connect(port, '127.0.0.1'));
    await once(raw.socket, 'connect');
    if (!upgrade) return raw;
    raw.send(
      `GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${randomBytes(16).toString('base64')}\r\n\r\n`,
    );
    while (!raw.text.includes('\r\n\r\n')) await once(raw.socket, 'data');
    return raw;
  }

  /** All that it was sent, as Latin-1. */
  get text(): string {
    return this.#received.toString('latin1');
  }

  send(bytes: string | Uint8Array): void {
    if (!this.socket.destroyed) this.socket.write(bytes);
  }

  end(): void {
    this.socket.destroy();
  }
}
