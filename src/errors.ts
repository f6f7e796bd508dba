import type { Attempt, Generation, RejectionReason } from './generation.ts';

/**
 * What Gesso throws on purpose. Each class carries data; none carries a formatted secret.
 * Everything else that is thrown is a bug, and is masked before a client sees it.
 */
export abstract class GatewayError extends Error {
  abstract readonly code: string;
  /** Whether the same request can succeed later without a change. */
  readonly retryable: boolean = false;
  override get name(): string {
    return this.constructor.name;
  }
}

/** A setting is missing, malformed, or contradicts another: the gateway does not start. */
export class ConfigError extends GatewayError {
  readonly code = 'CONFIG_INVALID';
}

/** No key, or one that is unknown, malformed or revoked: HTTP 401. */
export class UnauthenticatedError extends GatewayError {
  readonly code = 'UNAUTHENTICATED';
}

/** The key is good but lacks the scope: HTTP 403. */
export class ForbiddenError extends GatewayError {
  readonly code = 'FORBIDDEN';
}

/** The client has as many subscriptions open as it may: HTTP 429. */
export class TooManySubscriptionsError extends GatewayError {
  readonly code = 'TOO_MANY_SUBSCRIPTIONS';
  override readonly retryable = true;
}

/** What was asked for by id is not there, or not for this caller: HTTP 404. */
export class NotFoundError extends GatewayError {
  readonly code = 'NOT_FOUND';
}

export interface InputIssue {
  readonly path: readonly string[];
  readonly message: string;
}

/** The input broke a rule that the types can't state. Nothing was sent upstream. */
export class InvalidInputError extends GatewayError {
  readonly code = 'BAD_USER_INPUT';
  readonly issues: readonly InputIssue[];
  constructor(issues: readonly InputIssue[]) {
    super(issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`).join('; '));
    this.issues = issues;
  }
}

/** The idempotency key was used before with another input. */
export class IdempotencyConflictError extends GatewayError {
  readonly code = 'IDEMPOTENCY_CONFLICT';
  readonly existingGeneration: Generation;
  constructor(existingGeneration: Generation) {
    super('This idempotency key was used before with another prompt, size, delivery or provider.');
    this.existingGeneration = existingGeneration;
  }
}

/** The caller's quota is spent until `resetAt`. */
export class QuotaExceededError extends GatewayError {
  readonly code = 'QUOTA_EXCEEDED';
  override readonly retryable = true;
  readonly resetAt: Date;
  constructor(limit: number, resetAt: Date) {
    super(`The limit of ${limit} images a day for this API key is spent.`);
    this.resetAt = resetAt;
  }
}

/** The gateway can't take work now (its database is away, or it is shutting down): HTTP 503. */
export class GatewayUnavailableError extends GatewayError {
  readonly code = 'SERVICE_UNAVAILABLE';
  override readonly retryable = true;
}

/**
 * What became of a failed call upstream:
 * - `NOT_ACCEPTED`: the provider did not take it, so nothing was made or billed;
 * - `REJECTED`: it answered with an error that another try can't mend;
 * - `UNKNOWN`: it may have taken it, and may bill it.
 */
export type FailedOutcome = 'NOT_ACCEPTED' | 'REJECTED' | 'UNKNOWN';

/** A call upstream that brought no picture. Thrown by providers, read by retry, record and the endings. */
export class ProviderFailure extends GatewayError {
  readonly code: string = 'PROVIDER_FAILURE';
  readonly outcome: FailedOutcome;
  /** Set when `outcome` is `REJECTED`. */
  readonly rejection: RejectionReason | undefined;
  readonly httpStatus: number | undefined;
  /** The provider's `error.code`, or the transport's (`UND_ERR_SOCKET`, `ECONNREFUSED`); redacted, at most 100 characters. */
  readonly providerCode: string | undefined;
  /** From `Retry-After`, in milliseconds. */
  readonly retryAfterMs: number | undefined;

  constructor(
    message: string,
    details: {
      outcome: FailedOutcome;
      rejection?: RejectionReason | undefined;
      httpStatus?: number | undefined;
      providerCode?: string | undefined;
      retryAfterMs?: number | undefined;
      cause?: unknown;
    },
  ) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.outcome = details.outcome;
    this.rejection = details.outcome === 'REJECTED' ? (details.rejection ?? 'REQUEST') : undefined;
    this.httpStatus = details.httpStatus;
    this.providerCode = details.providerCode;
    this.retryAfterMs = details.retryAfterMs;
  }
}

/** All attempts at a provider were made in earlier runs: it was not asked, and this ends as the `last` one did. */
export class AttemptsUsedUpError extends ProviderFailure {
  constructor(message: string, last: Attempt | undefined) {
    super(message, {
      outcome: last?.outcome === 'NOT_ACCEPTED' ? 'NOT_ACCEPTED' : 'UNKNOWN',
      httpStatus: last?.httpStatus,
      providerCode: last?.errorCode,
    });
  }
}

/**
 * The provider answered in full, but with no image that decodes. `keptAt` is where the bytes are for the
 * operator, where any came. Another try is not made: the answer was complete, and is likely billed.
 */
export class InvalidPictureError extends GatewayError {
  readonly code = 'INVALID_IMAGE';
  readonly httpStatus: number | undefined;
  readonly keptAt: string | undefined;
  constructor(
    message: string,
    details: { httpStatus?: number | undefined; keptAt?: string | undefined } = {},
  ) {
    super(message);
    this.httpStatus = details.httpStatus;
    this.keptAt = details.keptAt;
  }
}

/** The picture is whole, but the store would not take it. */
export class StorageError extends GatewayError {
  readonly code = 'STORAGE_FAILED';
  override readonly retryable = true;
}

/** The generation's one deadline passed. `cause` is the failure it cut short, where there was one. */
export class DeadlineExceededError extends GatewayError {
  readonly code = 'DEADLINE_EXCEEDED';
  override readonly retryable = true;
}

/** Another replica owns this generation now: whatever this one still holds must not be written. */
export class FencedError extends GatewayError {
  readonly code = 'FENCED';
}

/** The replica is shutting down and gives the generation back before the next call is sent. */
export class HandoverError extends GatewayError {
  readonly code = 'HANDOVER';
}
