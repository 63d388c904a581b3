export class InvalidRelayUrlError extends Error {
  override name = 'InvalidRelayUrlError';
}

const URL_CHARACTERS_MAX = 512;

/**
 * A relay URL in normal form: lower-case host, no default port, no fragment, no trailing slash on an empty path.
 * @throws InvalidRelayUrlError when it is not a ws or wss URL, or carries credentials.
 */
export function normalizeRelayUrl(text: string): string {
  if (text.length > URL_CHARACTERS_MAX)
    throw new InvalidRelayUrlError(`a relay URL of over ${URL_CHARACTERS_MAX} characters`);
  let url: URL;
  try {
    url = new URL(text.trim());
  } catch (cause) {
    throw new InvalidRelayUrlError(`"${text.slice(0, 80)}" is not a URL; give ws://… or wss://…`, { cause });
  }
  if (url.protocol !== 'ws:' && url.protocol !== 'wss:')
    throw new InvalidRelayUrlError(`"${text.slice(0, 80)}" is not a relay URL; give ws://… or wss://…`);
  if (url.username || url.password)
    throw new InvalidRelayUrlError('a relay URL must not carry a user name or password');
  url.hash = '';
  const normal = url.toString();
  return url.pathname === '/' && !url.search ? normal.slice(0, -1) : normal;
}

/** IPv4 as a number, or undefined. The URL parser has already turned octal and hex forms into dotted decimal. */
function ipv4(host: string): number | undefined {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(host);
  if (!match) return undefined;
  const [a, b, c, d] = match.slice(1).map(Number) as [number, number, number, number];
  return a > 255 || b > 255 || c > 255 || d > 255 ? undefined : ((a * 256 + b) * 256 + c) * 256 + d;
}

/** Address ranges that are not on the public internet (RFC 6890 and what browsers call local). [base, prefix bits] */
const PRIVATE_IPV4: readonly [string, number][] = [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 3],
];

function isPrivateIpv4(address: number): boolean {
  return PRIVATE_IPV4.some(([base, bits]) => {
    const size = 2 ** (32 - bits);
    return Math.floor(address / size) === Math.floor(ipv4(base)! / size);
  });
}

/** The eight 16-bit groups of an IPv6 address as the URL parser prints it. */
function ipv6(host: string): number[] | undefined {
  if (!host.includes(':')) return undefined;
  const [head = '', tail] = host.split('::');
  const groups = (part: string) => (part ? part.split(':').map((g) => Number.parseInt(g, 16)) : []);
  const left = groups(head);
  const right = tail === undefined ? [] : groups(tail);
  const all =
    tail === undefined ? left : [...left, ...Array<number>(8 - left.length - right.length).fill(0), ...right];
  return all.length === 8 && all.every((g) => g >= 0 && g <= 0xffff) ? all : undefined;
}

/** Whether an IP address (as text, IPv6 with or without brackets) lies outside the public internet. */
export function isPrivateAddress(address: string): boolean {
  const bare = address.replace(/^\[|\]$/g, '');
  const v4 = ipv4(bare);
  if (v4 !== undefined) return isPrivateIpv4(v4);
  const v6 = ipv6(bare);
  if (!v6) return false;
  const [a, b, c, d, e, f, g, h] = v6 as [number, number, number, number, number, number, number, number];
  if (a === 0 && b === 0 && c === 0 && d === 0 && e === 0 && (f === 0xffff || f === 0)) {
    return f === 0xffff ? isPrivateIpv4(g * 65536 + h) : true; // mapped IPv4; ::, ::1 and the rest of ::/96
  }
  if (a === 0x64 && b === 0xff9b) return isPrivateIpv4(g * 65536 + h); // NAT64
  if (a === 0x2002) return isPrivateIpv4(b * 65536 + c); // 6to4
  return (
    (a & 0xfe00) === 0xfc00 ||
    (a & 0xffc0) === 0xfe80 ||
    (a & 0xff00) === 0xff00 ||
    (a === 0x2001 && b === 0xdb8)
  );
}

/**
 * Whether a relay URL names, by its host alone, a place inside somebody's own network: a private or reserved address,
 * `localhost`, a name without a dot or under `.local`/`.internal`/`.lan`. A public name may still resolve to a private
 * address: who connects must check the resolved address with `isPrivateAddress` too.
 */
export function isPrivateRelayUrl(url: string): boolean {
  const host = new URL(url).hostname.toLowerCase().replace(/\.$/, '');
  if (host.startsWith('[') || ipv4(host) !== undefined) return isPrivateAddress(host);
  return !host.includes('.') || /\.(localhost|local|internal|lan|home|corp|intranet|home\.arpa)$/.test(host);
}
