/** Of a gateway that was started as the README says. */
export const DEFAULT_URL = 'http://localhost:4000';

/**
 * The GraphQL endpoint of a gateway, given its own address or that. In a browser it may be relative to the page.
 * @throws {TypeError} for what is no address, or has a password in it.
 */
export function endpointOf(address: string): string {
  const page = (globalThis as { location?: { href?: string } }).location?.href;
  let url: URL;
  try {
    url = new URL(address, page);
  } catch {
    throw new TypeError('The url must be the address of a gateway, as "http://localhost:4000".');
  }
  if (url.protocol !== 'http:' && url.protocol !== 'https:')
    throw new TypeError('The url must begin with http: or https:.');
  if (url.username !== '' || url.password !== '')
    throw new TypeError('The url must not hold a name or a password.');
  const path = url.pathname.replace(/\/+$/, '');
  url.pathname = path.endsWith('/graphql') ? path : `${path}/graphql`;
  url.hash = '';
  return url.href;
}
