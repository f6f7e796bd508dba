import { type ErrorDetails, GessoError } from './errors.ts';
import type { Generation } from './generation.ts';

/**
 * The failures that the gateway's schema knows, one class for each member of its unions, named as the member:
 * see docs/errors.md for what to do.
 */

/** One rule that the input broke. */
export interface InputIssue {
  /** Where in the arguments it is, from the outermost name. */
  readonly path: readonly string[];
  readonly message: string;
}

/** The input broke a rule. Nothing was sent upstream. */
export class InvalidInputError extends GessoError {
  override readonly name = 'InvalidInputError';
  override readonly code = 'INVALID_INPUT';
  readonly issues: readonly InputIssue[];
  constructor(message: string, details: ErrorDetails & { issues: readonly InputIssue[] }) {
    super(message, details);
    this.issues = details.issues;
  }
}

/** The key was used before with another input. Nothing was sent upstream. */
export class IdempotencyConflictError extends GessoError {
  override readonly name = 'IdempotencyConflictError';
  override readonly code = 'IDEMPOTENCY_CONFLICT';
  /** The one that holds the key. */
  readonly existingGeneration: Generation;
  constructor(message: string, details: ErrorDetails & { existingGeneration: Generation }) {
    super(message, details);
    this.existingGeneration = details.existingGeneration;
  }
}

/** The API key's images of this UTC day are spent. Nothing was sent upstream. */
export class QuotaExceededError extends GessoError {
  override readonly name = 'QuotaExceededError';
  override readonly code = 'QUOTA_EXCEEDED';
  /** When the next UTC day begins, and the quota with it. */
  readonly resetAt: Date;
  constructor(message: string, details: ErrorDetails & { resetAt: Date }) {
    super(message, details);
    this.resetAt = details.resetAt;
  }
}

/** The provider's safety system refused the prompt or the result. */
export class ContentPolicyError extends GessoError {
  override readonly name = 'ContentPolicyError';
  override readonly code = 'CONTENT_POLICY';
}

/** The provider refused the request, or the gateway's key or address. */
export class ProviderRejectedError extends GessoError {
  override readonly name = 'ProviderRejectedError';
  override readonly code = 'PROVIDER_REJECTED';
  /** The provider's own word for it, where it gave one. */
  readonly providerCode: string | undefined;
  constructor(message: string, details: ErrorDetails & { providerCode: string | undefined }) {
    super(message, details);
    this.providerCode = details.providerCode;
  }
}

/** Every attempt failed in a way that may pass, or the deadline came first. The key is free: asking again buys anew. */
export class ProviderUnavailableError extends GessoError {
  override readonly name = 'ProviderUnavailableError';
  override readonly code = 'PROVIDER_UNAVAILABLE';
  /** What the provider asked to wait before the next try, where the gateway told it. */
  readonly retryAfterSeconds: number | undefined;
  constructor(message: string, details: ErrorDetails & { retryAfterSeconds: number | undefined }) {
    super(message, details);
    this.retryAfterSeconds = details.retryAfterSeconds;
  }
}

/** The provider answered, but with no image that decodes. */
export class InvalidImageError extends GessoError {
  override readonly name = 'InvalidImageError';
  override readonly code = 'INVALID_IMAGE';
}

/** The provider delivered, but the image could not be stored; the bytes are kept for the operator. */
export class StorageFailedError extends GessoError {
  override readonly name = 'StorageFailedError';
  override readonly code = 'STORAGE_FAILED';
}

/** The request went out and no answer came back: the image may exist, and may be billed. */
export class OutcomeUnknownError extends GessoError {
  override readonly name = 'OutcomeUnknownError';
  override readonly code = 'OUTCOME_UNKNOWN';
}

/** The generation was canceled while this call waited for it. */
export class GenerationCanceledError extends GessoError {
  override readonly name = 'GenerationCanceledError';
  override readonly code = 'GENERATION_CANCELED';
}

/** There is no generation of the caller with this id. */
export class GenerationNotFoundError extends GessoError {
  override readonly name = 'GenerationNotFoundError';
  override readonly code = 'GENERATION_NOT_FOUND';
}

/** The generation had ended before: `generation` is its final state. */
export class GenerationNotCancelableError extends GessoError {
  override readonly name = 'GenerationNotCancelableError';
  override readonly code = 'GENERATION_NOT_CANCELABLE';
}

/** The gateway is newer than this SDK, and answered what the SDK does not know. */
export class UnexpectedResultError extends GessoError {
  override readonly name = 'UnexpectedResultError';
  override readonly code = 'UNEXPECTED_RESULT';
  /** What the schema calls it. */
  readonly typename: string;
  constructor(message: string, details: ErrorDetails & { typename: string }) {
    super(message, details);
    this.typename = details.typename;
  }
}
