import ipaddr from 'ipaddr.js';

/** What IANA has given out to the public internet; all of IPv6 beside it is reserved, or means another address. */
const GLOBAL_UNICAST_IPV6 = ipaddr.parseCIDR('2000::/3');

/** Inside of Azure it is the platform's own: https://learn.microsoft.com/azure/virtual-network/what-is-ip-address-168-63-129-16 */
const AZURE_PLATFORM = '168.63.129.16';

/**
 * Whether an IP address is one of the public internet. Not so: loopback, private, shared (CGNAT), link-local, multicast,
 * documentation and benchmarking addresses, those of special services, and IPv6 addresses that carry an IPv4 one (mapped,
 * compatible, 6to4, Teredo, NAT64), because a machine on the way may unpack it.
 */
export function isPublicAddress(address: string): boolean {
  // What has a zone (`%eth0`) names a link.
  if (!ipaddr.isValid(address) || address.includes('%') || address === AZURE_PLATFORM) return false;
  const parsed = ipaddr.parse(address);
  if (parsed.range() !== 'unicast') return false;
  if (parsed.kind() === 'ipv4') return ipaddr.IPv4.isValidFourPartDecimal(address);
  return parsed.match(GLOBAL_UNICAST_IPV6) && !isIsatap(parsed.toByteArray());
}

/** RFC 5214: an interface id of `0000:5efe` or `0200:5efe` is followed by an IPv4 address. */
function isIsatap(bytes: readonly number[]): boolean {
  const [first, second, third, fourth] = bytes.slice(8, 12);
  return (first === 0 || first === 2) && second === 0 && third === 0x5e && fourth === 0xfe;
}
