import { StorageError } from '../errors.ts';

/** What an object store, the network before it or the SDK says is wrong. */
export interface S3Failure {
  /** `NoSuchKey`, `SlowDown`, `ECONNREFUSED`, `TimeoutError`, `HTTP 503`, …; never a text of the store's. */
  readonly code: string;
  /** Undefined where no answer came. */
  readonly status: number | undefined;
}

export const readFailure = (error: unknown): S3Failure => {
  const { name, code, $metadata } = asThrown(error);
  const status = $metadata?.httpStatusCode;
  // The network's codes say more than their names; the SDK's names are the store's codes.
  const given = status === undefined && isCode(code) ? code : name;
  if (isCode(given) && !UNNAMED.includes(given)) return { code: given, status };
  // Such as an answer to a HEAD, which has no body, or one that a proxy made, which has a page in it.
  return { code: status === undefined ? 'unknown error' : `HTTP ${status}`, status };
};

/** Whether the store says that it has no such blob: not that there is no such bucket, or no store at all. */
export const isMissingBlob = (error: unknown): boolean => readFailure(error).code === 'NoSuchKey';

/** Whether the connection was closed under the request, as happens to one that was kept open for too long. */
export const isReset = (error: unknown): boolean => ['ECONNRESET', 'EPIPE'].includes(readFailure(error).code);

/**
 * Whether waiting mends nothing: the bucket, the region, the key or what it may do is wrong. A store that is away,
 * slow or busy is another matter.
 */
export const isMisconfigured = (error: unknown): boolean => {
  const { code, status } = readFailure(error);
  // S3 says with a 400 that it waited in vain for the body.
  if (code === 'RequestTimeout') return false;
  return code === 'CredentialsProviderError' || [301, 400, 401, 403, 404].includes(status ?? 0);
};

/** A failure as the store's callers know it: the message may reach a client, so it holds a code and no more. */
export const storageError = (what: string, error: unknown): StorageError => {
  if (error instanceof StorageError) return error;
  return new StorageError(`Could not ${what} (${readFailure(error).code}).`, { cause: toCause(error) });
};

/**
 * For the log: what was said, without the rest of the SDK's error, which holds the request with its signature and
 * the session token, and without anything in the text that is as long as a key, a token or a signature.
 */
const toCause = (error: unknown): Error => {
  const { message, $metadata } = asThrown(error);
  const { code, status } = readFailure(error);
  const cause = new Error(message?.slice(0, 500).replace(/[A-Za-z0-9+/=_%-]{32,}/g, '…'));
  cause.name = code;
  return Object.assign(cause, { httpStatus: status, requestId: $metadata?.requestId });
};

/** As the SDK and Node throw; also for an answer that the SDK could not read, whose error is of no class of its own. */
interface Thrown {
  readonly name?: unknown;
  readonly message?: string;
  readonly code?: unknown;
  readonly $metadata?: { readonly httpStatusCode?: number; readonly requestId?: string };
}
const asThrown = (error: unknown): Thrown => (error instanceof Error ? (error as Thrown) : {});

const UNNAMED = ['Error', 'Unknown', 'UnknownError'];
const isCode = (text: unknown): text is string =>
  typeof text === 'string' && /^[A-Za-z0-9_.]{1,60}$/.test(text);
