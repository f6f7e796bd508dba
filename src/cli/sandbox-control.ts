/**
 * A command that makes the sandbox answer its next request with 503, for a reader to try: two lines, so that it fits.
 * @param baseUrl as the sandbox tells it.
 */
export const misbehaviour = (baseUrl: string): readonly [string, string] => [
  `curl ${new URL('/sandbox/behaviours', baseUrl)} \\`,
  `  -H content-type:application/json -d '[{"kind":"status","status":503}]'`,
];
