import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { isPrivateRelayUrl, normalizeRelayUrl } from '@covey/nostr';
import { publicLookup } from '../public-lookup.ts';

const ANSWER_MS_MAX = 8_000;
const DOCUMENT_BYTES_MAX = 65_536;

/** The relay at that URL does not say that it is the key's; what to mend is in the message. */
export class UnprovedUrlError extends Error {
  override name = 'UnprovedUrlError';
}

/**
 * Proves that who runs the relay at `url` says that it is `member`: its information document (NIP-11) has the key in
 * `self`. With the order that the key signed, URL and key vouch for each other.
 * @param profile `public`: only wss:// on the public internet, by the addresses that the name resolves to.
 * @returns the URL in normal form, and the document's name.
 * @throws UnprovedUrlError, InvalidRelayUrlError
 */
export async function proveUrl(
  url: string,
  member: string,
  profile: 'local' | 'public',
): Promise<{ url: string; name: string | undefined }> {
  const normal = normalizeRelayUrl(url);
  if (profile === 'public' && (isPrivateRelayUrl(normal) || !normal.startsWith('wss:')))
    throw new UnprovedUrlError(`${normal} can't be opened from the internet; give its public wss:// URL`);
  let document: { self?: unknown; name?: unknown };
  try {
    document = JSON.parse(await informationOf(normal, profile)) ?? {};
  } catch (cause) {
    throw new UnprovedUrlError(
      `${normal} gives no relay information (NIP-11): ${(cause as Error).message}. Is the relay running, and does its proxy pass on "Accept: application/nostr+json"?`,
      { cause },
    );
  }
  if (document.self !== member)
    throw new UnprovedUrlError(
      `the relay at ${normal} says that its key (NIP-11 self) is ${String(document.self).slice(0, 64)}, not ${member}; join with the key that the relay runs with`,
    );
  return { url: normal, name: typeof document.name === 'string' ? document.name.slice(0, 200) : undefined };
}

/** Redirects are not followed: they could lead inside. */
function informationOf(url: string, profile: 'local' | 'public'): Promise<string> {
  const address = new URL(url.replace(/^ws/, 'http'));
  const request = address.protocol === 'https:' ? httpsRequest : httpRequest;
  return new Promise((resolve, reject) => {
    const asked = request(address, {
      headers: { accept: 'application/nostr+json' },
      signal: AbortSignal.timeout(ANSWER_MS_MAX),
      ...(profile === 'public' ? { lookup: publicLookup } : {}),
    });
    asked.on('error', reject);
    asked.on('response', (response: IncomingMessage) => {
      if (response.statusCode !== 200) {
        response.destroy();
        return reject(new Error(`HTTP ${response.statusCode}`));
      }
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (part: string) => {
        text += part;
        if (text.length > DOCUMENT_BYTES_MAX) response.destroy(new Error('the document is too large'));
      });
      response.on('error', reject);
      response.on('end', () => resolve(text));
    });
    asked.end();
  });
}
