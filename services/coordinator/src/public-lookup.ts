import { lookup } from 'node:dns';
import type { LookupFunction } from 'node:net';
import { isPrivateAddress } from '@covey/nostr';

export class PrivateAddressError extends Error {
  override name = 'PrivateAddressError';
}

/**
 * A name look-up for outgoing connections that fails when any address of the name is private. It is the look-up of the
 * connection itself, so a name that answers differently the second time (DNS rebinding) gains nothing. Addresses
 * written into the URL are never looked up: check the URL with `isPrivateRelayUrl` too.
 */
export const publicLookup: LookupFunction = (hostname, options, callback) => {
  lookup(hostname, { ...options, all: true }, (error, addresses) => {
    if (error) return callback(error, '');
    const refused = addresses.find(({ address }) => isPrivateAddress(address));
    if (refused)
      return callback(
        new PrivateAddressError(`${hostname} is ${refused.address}, an address in a private network`),
        '',
      );
    if (options.all) return callback(null, addresses);
    const [first] = addresses;
    if (first) return callback(null, first.address, first.family);
    return callback(new PrivateAddressError(`${hostname} has no address`), '');
  });
};
