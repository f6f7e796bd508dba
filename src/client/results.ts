import type { Connection } from './connection.ts';
import type { GessoError } from './errors.ts';
import { type Generation, toGeneration } from './generation.ts';
import type {
  CancelGenerationMutation,
  GenerationFieldsFragment,
  ResultFieldsFragment,
  StartGenerationMutation,
} from './operations.generated.ts';
import {
  ContentPolicyError,
  GenerationCanceledError,
  GenerationNotCancelableError,
  GenerationNotFoundError,
  IdempotencyConflictError,
  InvalidImageError,
  InvalidInputError,
  OutcomeUnknownError,
  ProviderRejectedError,
  ProviderUnavailableError,
  QuotaExceededError,
  StorageFailedError,
  UnexpectedResultError,
} from './result-errors.ts';

type Result =
  | ResultFieldsFragment
  | StartGenerationMutation['startGeneration']
  | CancelGenerationMutation['cancelGeneration'];

/** What is no failure. */
type Outcome =
  | 'GenerateImageSuccess'
  | 'GenerationPending'
  | 'StartGenerationSuccess'
  | 'CancelGenerationSuccess';

/** The members of the unions that are failures. */
export type FailedResult = Exclude<Result, { __typename: Outcome }>;

/** The error for a member that is a failure. */
export function errorOfResult(result: FailedResult, connection: Connection): GessoError {
  const { __typename: typename, message, retryable } = result;
  const generation = 'generation' in result ? toGeneration(result.generation, connection) : undefined;
  const details = { retryable, generation };
  switch (result.__typename) {
    case 'InvalidInputError':
      return new InvalidInputError(message, { ...details, issues: result.issues });
    case 'IdempotencyConflictError': {
      const existingGeneration = toGeneration(result.generation, connection);
      return new IdempotencyConflictError(message, { retryable, existingGeneration });
    }
    case 'QuotaExceededError':
      return new QuotaExceededError(message, { ...details, resetAt: new Date(result.resetAt) });
    case 'ContentPolicyError':
      return new ContentPolicyError(message, details);
    case 'ProviderRejectedError':
      return new ProviderRejectedError(message, {
        ...details,
        providerCode: result.providerCode ?? undefined,
      });
    case 'ProviderUnavailableError':
      return new ProviderUnavailableError(message, {
        ...details,
        retryAfterSeconds: result.retryAfterSeconds ?? undefined,
      });
    case 'InvalidImageError':
      return new InvalidImageError(message, details);
    case 'StorageFailedError':
      return new StorageFailedError(message, details);
    case 'OutcomeUnknownError':
      return new OutcomeUnknownError(message, details);
    case 'GenerationCanceledError':
      return new GenerationCanceledError(message, details);
    case 'GenerationNotFoundError':
      return new GenerationNotFoundError(message, details);
    case 'GenerationNotCancelableError':
      return new GenerationNotCancelableError(message, details);
    default:
      // A member that a newer gateway has: the types don't know it.
      return unexpected(typename, message, details);
  }
}

/** The error for a generation that ended without an image: the same as the gateway's answer to who waited for it. */
export function errorOfGeneration(fields: GenerationFieldsFragment, connection: Connection): GessoError {
  const generation = toGeneration(fields, connection);
  const { failure, status, delivery, attempts } = generation;
  if (status === 'CANCELED') {
    const mayBeBilled = attempts.some(({ outcome }) => outcome === 'PENDING' || outcome === 'UNKNOWN');
    const retryable = !(mayBeBilled && delivery === 'AT_MOST_ONCE');
    return new GenerationCanceledError('The generation was canceled.', { retryable, generation });
  }
  if (failure === undefined) return unexpected('Generation', undefined, { generation });
  const { code, message, retryable, providerCode, retryAfterSeconds } = failure;
  const details = { retryable, generation };
  switch (code) {
    case 'CONTENT_POLICY':
      return new ContentPolicyError(message, details);
    case 'PROVIDER_REJECTED':
      return new ProviderRejectedError(message, { ...details, providerCode });
    case 'PROVIDER_UNAVAILABLE':
    case 'DEADLINE_EXCEEDED':
      return new ProviderUnavailableError(message, { ...details, retryAfterSeconds });
    case 'INVALID_IMAGE':
      return new InvalidImageError(message, details);
    case 'STORAGE_FAILED':
      return new StorageFailedError(message, details);
    case 'OUTCOME_UNKNOWN':
      return new OutcomeUnknownError(message, details);
    default:
      return unexpected(code, message, { generation });
  }
}

const unexpected = (
  typename: string,
  message: string | undefined,
  details: { retryable?: boolean; generation?: Generation | undefined },
): GessoError =>
  new UnexpectedResultError(
    message ?? `The gateway answered ${typename}, which this version does not know.`,
    {
      ...details,
      typename,
    },
  );
