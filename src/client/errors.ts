import type { Generation } from './generation.ts';

export interface ErrorDetails {
  readonly retryable?: boolean | undefined;
  readonly generation?: Generation | undefined;
  readonly cause?: unknown;
}

/** What the SDK throws on purpose. Each class carries data; none carries the API key. */
export class GessoError extends Error {
  override readonly name: string = 'GessoError';
  readonly code: string = 'GESSO_ERROR';
  /** Whether the same call, with the same idempotency key, can succeed later without a change. */
  readonly retryable: boolean;
  /** The key that the image was asked for with, also where the SDK made it: asking again with it buys nothing twice. */
  readonly idempotencyKey: string | undefined = undefined;
  /** The generation that it is about, as it was last seen. */
  readonly generation: Generation | undefined;

  constructor(message: string, { retryable = false, generation, cause }: ErrorDetails = {}) {
    super(message, cause === undefined ? undefined : { cause });
    this.retryable = retryable;
    this.generation = generation;
  }
}

/** No API key, or one that is unknown, malformed or revoked. */
export class UnauthenticatedError extends GessoError {
  override readonly name = 'UnauthenticatedError';
  override readonly code = 'UNAUTHENTICATED';
}

/** The API key lacks the scope that this needs. */
export class ForbiddenError extends GessoError {
  override readonly name = 'ForbiddenError';
  override readonly code = 'FORBIDDEN';
}

/** The gateway, or a proxy in front of it, answered that it can't do this now, for longer than was waited for. */
export class GatewayUnavailableError extends GessoError {
  override readonly name = 'GatewayUnavailableError';
  override readonly code = 'GATEWAY_UNAVAILABLE';
  readonly httpStatus: number;
  /** From `Retry-After`. */
  readonly retryAfterSeconds: number | undefined;
  constructor(message: string, details: { httpStatus: number; retryAfterSeconds: number | undefined }) {
    super(message, { retryable: true });
    this.httpStatus = details.httpStatus;
    this.retryAfterSeconds = details.retryAfterSeconds;
  }
}

/** The gateway could not be reached, or its answer was lost or cut, for longer than was waited for. `cause` has the details. */
export class NetworkError extends GessoError {
  override readonly name = 'NetworkError';
  override readonly code = 'NETWORK_ERROR';
  /** Whether it is certain that nothing reached the gateway. */
  readonly notSent: boolean;
  constructor(message: string, { notSent = false, cause }: { notSent?: boolean; cause?: unknown } = {}) {
    super(message, { retryable: true, cause });
    this.notSent = notSent;
  }
}

/** The gateway refused the operation itself. `code` is the gateway's: see docs/errors.md. */
export class RefusedRequestError extends GessoError {
  override readonly name = 'RefusedRequestError';
  override readonly code: string;
  readonly httpStatus: number;
  constructor(message: string, { code, httpStatus }: { code: string; httpStatus: number }) {
    super(message);
    this.code = code;
    this.httpStatus = httpStatus;
  }
}

/** The `signal` was aborted; its reason is the `cause`. What was started goes on in the gateway. */
export class AbortedError extends GessoError {
  // The name that platforms give, and that callers look for.
  override readonly name = 'AbortError';
  override readonly code = 'ABORTED';
  constructor(reason: unknown) {
    super('The call was aborted.', { retryable: true, cause: reason });
  }
}

/** The picture could not be fetched, or is not the one that was promised. */
export class DownloadError extends GessoError {
  override readonly name = 'DownloadError';
  override readonly code = 'DOWNLOAD_FAILED';
  /** The status of the answer, where one came. */
  readonly httpStatus: number | undefined;
  constructor(message: string, details: ErrorDetails & { httpStatus?: number | undefined } = {}) {
    super(message, details);
    this.httpStatus = details.httpStatus;
  }
}

/** A function that was handed to the SDK threw; what it threw is the `cause`. */
export class CallbackError extends GessoError {
  override readonly name = 'CallbackError';
  override readonly code = 'CALLBACK_FAILED';
}

/** Runs a part of a call, and lets what it throws tell the key and the generation that the call is about. */
export async function telling<Result>(
  about: { idempotencyKey?: string | undefined; generation?: Generation | undefined },
  run: () => Promise<Result>,
): Promise<Result> {
  try {
    return await run();
  } catch (error) {
    if (!(error instanceof GessoError)) throw error;
    throw Object.assign(error, {
      idempotencyKey: error.idempotencyKey ?? about.idempotencyKey,
      generation: error.generation ?? about.generation,
    });
  }
}

/** Calls a function that was handed to the SDK. @throws {CallbackError} with what it threw as the cause. */
export function called<Result>(name: string, callback: () => Result): Result {
  try {
    return callback();
  } catch (cause) {
    throw new CallbackError(`${name} threw an error.`, { cause });
  }
}

/** @throws {AbortedError} */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted === true) throw new AbortedError(signal.reason);
}
