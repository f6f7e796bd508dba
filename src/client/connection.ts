import { GraphQLClient } from 'graphql-request';
import { DEFAULT_URL, endpointOf } from './address.ts';
import { systemClock } from './clock.ts';
import { CallbackError, UnauthenticatedError } from './errors.ts';
import { failureOf } from './failure.ts';
import { limited } from './limited.ts';
import type { CallOptions, ClientOptions } from './options.ts';
import { retrying } from './retry.ts';
import { createSubscribe } from './subscribe.ts';
import type { TypedDocumentNode } from './typed-document.ts';

const MAX_WAIT_SECONDS = 240;
const DEFAULT_RETRY_SECONDS = 300;
/** Of a call that only reads: somebody looks at the screen. */
const MAX_READ_RETRY_MS = 10_000;
/** No operation of the SDK makes the gateway wait: a longer silence is a connection that is gone. */
const REQUEST_MS = 30_000;

/** How the SDK reaches a gateway: once, again and again, or for as long as something is told. */
export type Connection = ReturnType<typeof createConnection>;

/** @throws {TypeError | RangeError} for options that can't be. */
export function createConnection(options: ClientOptions) {
  const { url = DEFAULT_URL, apiKey, waitSeconds = MAX_WAIT_SECONDS, clock = systemClock } = options;
  const { retrySeconds = DEFAULT_RETRY_SECONDS } = options;
  if (!(waitSeconds >= 0 && waitSeconds <= MAX_WAIT_SECONDS))
    throw new RangeError(`waitSeconds must be 0 to ${MAX_WAIT_SECONDS}.`);
  if (!(retrySeconds >= 0)) throw new RangeError('retrySeconds must not be negative.');
  const endpoint = endpointOf(url);
  const own = Object.fromEntries(new Headers(options.headers));
  /** How far the gateway's clock is ahead of ours, in milliseconds. */
  let skewMs = 0;

  // Called as a plain function: browsers refuse their own `fetch` as a method of something else.
  const doFetch: typeof fetch = (input, init) => (options.fetch ?? globalThis.fetch)(input, init);
  const gatewayFetch: typeof fetch = async (input, init) => {
    const response = await doFetch(input, init);
    const date = Date.parse(response.headers.get('date') ?? '');
    if (!Number.isNaN(date)) skewMs = date - clock.now();
    return response;
  };

  /** @throws {GessoError} */
  async function headers(): Promise<Record<string, string>> {
    const key = typeof apiKey === 'function' ? await keyFrom(apiKey) : apiKey;
    if (key === undefined) return own;
    // Said here, because the platform's own error would repeat the key.
    if (!/^[\x21-\x7e]+$/.test(key)) {
      throw new UnauthenticatedError(
        key === '' ? 'The API key is empty.' : 'The API key must be printable ASCII without spaces.',
      );
    }
    return { ...own, authorization: `Bearer ${key}` };
  }

  const graphql = new GraphQLClient(endpoint, { fetch: gatewayFetch });

  /** Sends an operation once. @throws {GessoError} */
  async function send<Result, Variables extends object>(
    document: TypedDocumentNode<Result, Variables>,
    variables: Variables,
    { signal }: CallOptions = {},
  ): Promise<Result> {
    const requestHeaders = await headers();
    return limited(signal, REQUEST_MS, async (limit) => {
      try {
        return await graphql.request<Result>({
          document,
          variables,
          requestHeaders,
          signal: limit.signal,
        });
      } catch (error) {
        throw failureOf(error, clock.now());
      }
    });
  }

  const retryOptions = (forMs: number, { signal, onRetry }: CallOptions) => ({
    clock,
    forMs,
    signal,
    onRetry,
  });

  return {
    endpoint,
    clock,
    waitMs: waitSeconds * 1000,
    /** The gateway's time, as far as its answers told it; in milliseconds since the epoch. */
    gatewayNow: (): number => clock.now() + skewMs,
    fetch: doFetch,
    send,
    subscribe: createSubscribe({ endpoint, fetch: gatewayFetch, headers, now: clock.now }),
    /** Tries for as long as the options say. */
    retrying: <Result>(run: () => Promise<Result>, options: CallOptions): Promise<Result> =>
      retrying(run, retryOptions(retrySeconds * 1000, options)),
    /** Sends what only reads, and tries again for some seconds. */
    read: <Result, Variables extends object>(
      document: TypedDocumentNode<Result, Variables>,
      variables: Variables,
      options: CallOptions = {},
    ): Promise<Result> =>
      retrying(
        () => send(document, variables, options),
        retryOptions(Math.min(retrySeconds * 1000, MAX_READ_RETRY_MS), options),
      ),
  };
}

async function keyFrom(apiKey: () => string | Promise<string>): Promise<string> {
  try {
    return await apiKey();
  } catch (cause) {
    throw new CallbackError('apiKey threw an error.', { cause });
  }
}
