import { get as getHttp, type RequestOptions } from 'node:http';
import { get as getHttps } from 'node:https';
import { publicLookup } from './public-lookup.ts';

const BYTES_MAX = 256 * 1024;

/** A relay's information document (NIP-11), trusted in nothing; undefined when it has none or can't be reached. */
export function readRelayInformation(
  url: string,
  { allowPrivate, timeoutMs }: { allowPrivate: boolean; timeoutMs: number },
): Promise<Record<string, unknown> | undefined> {
  const options: RequestOptions = {
    headers: { accept: 'application/nostr+json' },
    timeout: timeoutMs,
    signal: AbortSignal.timeout(timeoutMs),
    ...(allowPrivate ? {} : { lookup: publicLookup as NonNullable<RequestOptions['lookup']> }),
  };
  const address = url.replace(/^ws/, 'http');
  return new Promise((resolve) => {
    const get = address.startsWith('https:') ? getHttps : getHttp;
    const request = get(address, options, (response) => {
      const chunks: Buffer[] = [];
      let bytes = 0;
      response.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes > BYTES_MAX) response.destroy();
        else chunks.push(chunk);
      });
      const isWhole = () => response.complete && response.statusCode === 200;
      response.on('close', () => resolve(isWhole() ? parse(Buffer.concat(chunks)) : undefined));
    });
    request.on('error', () => resolve(undefined));
  });
}

function parse(body: Buffer): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(body.toString());
    const isDocument = typeof value === 'object' && value !== null && !Array.isArray(value);
    return isDocument ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}
