import {
  DeadlineExceededError,
  GatewayError,
  InvalidPictureError,
  ProviderFailure,
  StorageError,
} from '../errors.ts';
import type { Attempt, DeliveryGuarantee, FailureCode, GenerationFailure } from '../generation.ts';
import type { FailedEnding } from '../ledger/runs.ts';

/**
 * How a generation ends that brought no image: the table under "Life of a generation" in
 * docs/idempotency.md, row by row. `attempts` are all on record, with their outcomes.
 */
export function endingOf(
  error: unknown,
  delivery: DeliveryGuarantee,
  attempts: readonly Attempt[],
): Omit<FailedEnding, 'attempt'> {
  const maybeBilled = attempts.some(({ outcome }) => outcome === 'UNKNOWN' || outcome === 'PENDING');
  const atMostOnce = delivery === 'AT_MOST_ONCE';
  const ended = (code: FailureCode, keyHeld: boolean, details: Partial<GenerationFailure> = {}) => ({
    status: 'FAILED' as const,
    failure: failure(code, error, { retryable: !keyHeld, ...details }),
    keyHeld,
    refund: !maybeBilled,
  });

  if (error instanceof ProviderFailure && error.outcome === 'REJECTED') {
    // The operator's mistake frees the key: it will be mended, and the same request can then succeed.
    const code = error.rejection === 'CONTENT_POLICY' ? 'CONTENT_POLICY' : 'PROVIDER_REJECTED';
    return ended(code, error.rejection !== 'OPERATOR', { retryable: false });
  }
  // The answer was whole, so it is not the transport's fault, and it is likely billed.
  if (error instanceof InvalidPictureError) return ended('INVALID_IMAGE', atMostOnce);
  if (error instanceof StorageError) return ended('STORAGE_FAILED', atMostOnce);
  if (atMostOnce && maybeBilled) {
    return {
      status: 'UNKNOWN',
      failure: failure('OUTCOME_UNKNOWN', error, { retryable: false }),
      keyHeld: true,
      refund: false,
    };
  }
  if (error instanceof DeadlineExceededError) return ended('DEADLINE_EXCEEDED', false);
  const retryAfterMs = error instanceof ProviderFailure ? error.retryAfterMs : undefined;
  return ended('PROVIDER_UNAVAILABLE', false, {
    retryAfterSeconds: retryAfterMs === undefined ? undefined : Math.ceil(retryAfterMs / 1000),
  });
}

function failure(code: FailureCode, error: unknown, details: Partial<GenerationFailure>): GenerationFailure {
  return {
    code,
    // What was not thrown on purpose may say anything: it goes to the log, not to a client.
    message: error instanceof GatewayError ? error.message : 'The gateway failed unexpectedly; see its log.',
    providerCode: error instanceof ProviderFailure ? error.providerCode : undefined,
    retryable: false,
    retryAfterSeconds: undefined,
    ...details,
  };
}
