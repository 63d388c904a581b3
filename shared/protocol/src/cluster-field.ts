import type { MemberVerdicts } from '@covey/liveness';

/**
 * The `covey` field of a member's NIP-11 document. Clients that do not know it ignore it, as NIP-11 asks; one that does
 * may send `["COVEY",{"version":1}]` on that connection to announce that it understands redirects (announcement.ts).
 */
export interface ClusterField {
  version: 1;
  cluster: string;
  /** Epoch applied here. */
  epoch: number;
  /** Id of the manifest event of that epoch. */
  manifest: string;
  /** The member's public key. */
  member: string;
  /** Where the table and plans can be had over HTTP. */
  api?: string;
  /**
   * Members that do not serve now, as this member holds; absent when all do. With the table it says who acts for whom
   * (`@covey/enforcement`, Overlay): every member and client computes alike.
   */
  verdicts?: MemberVerdicts;
}

/** First word of the human-readable part of `OK false` and `CLOSED` answers that name other relays. */
export const REDIRECT_PREFIX = 'redirect';

/** `redirect: wss://a wss://b`: master first, most senior replica next. */
export function redirectMessage(urls: readonly string[]): string {
  return `${REDIRECT_PREFIX}: ${urls.join(' ')}`;
}

/**
 * URLs of a redirect, or undefined when the message is none. Relays that put a prefix of their own in front
 * (`blocked: redirect: …`, as nostr-rs-relay does) are understood.
 */
export function parseRedirect(message: string): string[] | undefined {
  const list = /^(?:[a-z-]+: )?redirect: (.+)$/.exec(message)?.[1] ?? '';
  const urls = list.split(/\s+/).filter((url) => /^wss?:\/\//.test(url));
  return urls.length > 0 ? urls : undefined;
}
