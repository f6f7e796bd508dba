import { ConfigError } from '../../errors.ts';

/** Where a vendor's API lives. */
export interface BaseUrl {
  /** Scheme, host and port. */
  readonly origin: string;
  /** The path before every endpoint, without a slash at its end; often `/v1`. */
  readonly prefix: string;
}

/**
 * Reads a base URL, with or without a slash at its end.
 *
 * @throws {ConfigError} without quoting the URL, which may hold a password.
 */
export const parseBaseUrl = (text: string, { provider }: { provider: string }): BaseUrl => {
  const url = URL.parse(text);
  if (url === null || !['http:', 'https:'].includes(url.protocol)) {
    throw new ConfigError(`The base URL of ${provider} must begin with http:// or https://.`);
  }
  if (url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '') {
    throw new ConfigError(`The base URL of ${provider} must be an origin and a path, and nothing else.`);
  }
  return { origin: url.origin, prefix: url.pathname.replace(/\/+$/, '') };
};
