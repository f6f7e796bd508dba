import { lookup as systemLookup } from 'node:dns/promises';
import { isIP, type LookupFunction } from 'node:net';

/** All addresses of a host, in the order in which they should be tried. */
export type Lookup = (hostname: string) => Promise<readonly string[]>;

/** As the system resolves names. */
export const lookUp: Lookup = async (hostname) =>
  (await systemLookup(hostname, { all: true })).map(({ address }) => address);

/** The host has no address that a webhook may go to. */
export class NoAllowedAddressError extends Error {}

/** A name may have any number of addresses; each would be tried in turn. */
const MAX_ADDRESSES = 8;

/**
 * A `lookup` for a socket: it resolves the name once, and gives the socket none but allowed addresses. So what is
 * connected to is what was judged, and a name that leads elsewhere a moment later gains nothing by it.
 */
export function guardedLookup(
  lookup: Lookup,
  isAllowedAddress: (address: string) => boolean,
): LookupFunction {
  async function allowedAddresses(hostname: string): Promise<{ address: string; family: number }[]> {
    const addresses = await lookup(hostname);
    const allowed = addresses.filter((address) => isIP(address) !== 0 && isAllowedAddress(address));
    if (allowed.length === 0) throw new NoAllowedAddressError('The host has no public address.');
    return allowed.slice(0, MAX_ADDRESSES).map((address) => ({ address, family: isIP(address) }));
  }
  return (hostname, { all }, callback) => {
    allowedAddresses(hostname).then(
      (addresses) => {
        if (all === true) callback(null, addresses);
        else callback(null, addresses[0]?.address ?? '', addresses[0]?.family);
      },
      (error: NodeJS.ErrnoException) => callback(error, []),
    );
  };
}
