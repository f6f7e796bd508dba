import { AttemptsUsedUpError, HandoverError, ProviderFailure } from '../errors.ts';
import type { DeliveryGuarantee, Generation } from '../generation.ts';
import type { AttemptMiddleware, AttemptRequest } from './middleware.ts';

export interface RetryOptions {
  /**
   * Waits before the second, third, … attempt, in milliseconds; their number is the number of retries. The
   * vendor's advice is the default. @default [3000, 8000, 15000]
   */
  readonly delaysMs?: readonly number[];
  /** Up to this share of a wait is added to it at random, so that what failed together does not return together. @default 0.1 */
  readonly jitterRatio?: number;
  /**
   * Whether another provider would be asked now, were this one given up: a `Retry-After` longer than the wait that is due
   * is then not waited for. @default never
   */
  readonly goesOn?: (generation: Generation) => boolean;
  readonly now: () => Date;
  /** Rejects when the signal is aborted. */
  readonly sleep: (delayMs: number, signal: AbortSignal) => Promise<void>;
  /** From 0 to below 1. */
  readonly random?: () => number;
}

/**
 * The one owner of retries; no other layer sends again. The attempts on record at the provider count, those of replicas
 * that died included, so that a crash never adds to the number allowed.
 */
export function retry(options: RetryOptions): AttemptMiddleware {
  const { delaysMs = [3000, 8000, 15000], jitterRatio = 0.1, goesOn = () => false } = options;
  const { now, sleep, random = Math.random } = options;

  return async function retry(request, next) {
    const elsewhere = request.run.attemptsMade.filter(({ provider }) => provider !== request.provider).length;
    if (request.attemptNumber - elsewhere > delaysMs.length + 1) throw usedUp(request);
    for (let { attemptNumber } = request; ; attemptNumber++) {
      if (request.handover.aborted) throw new HandoverError('The replica is shutting down.');
      let failure: ProviderFailure;
      try {
        return await next({ ...request, attemptNumber });
      } catch (error) {
        if (!isRetryable(error, request.generation.delivery)) throw error;
        failure = error;
      }
      const delayMs = delaysMs[attemptNumber - elsewhere - 1];
      if (delayMs === undefined) throw failure;
      const { retryAfterMs = 0 } = failure;
      if (retryAfterMs > delayMs && goesOn(request.generation)) throw failure;
      const waitMs = Math.max(delayMs * (1 + jitterRatio * random()), retryAfterMs);
      // A wait that the deadline would cut short is not begun: the caller learns now that it failed, and why.
      if (now().getTime() + waitMs >= request.deadlineAt.getTime()) throw failure;
      await waitUnlessHandedOver(waitMs, request, failure);
    }
  };

  async function waitUnlessHandedOver(
    waitMs: number,
    { signal, handover }: AttemptRequest,
    failure: ProviderFailure,
  ): Promise<void> {
    try {
      await sleep(waitMs, AbortSignal.any([signal, handover]));
    } catch (error) {
      if (handover.aborted) throw new HandoverError('The replica is shutting down.', { cause: failure });
      if (signal.aborted) throw failure;
      throw error;
    }
  }
}

/** AT_MOST_ONCE sends again only what was not accepted; a rejection is never sent again. */
function isRetryable(error: unknown, delivery: DeliveryGuarantee): error is ProviderFailure {
  if (!(error instanceof ProviderFailure)) return false;
  return error.outcome === 'NOT_ACCEPTED' || (error.outcome === 'UNKNOWN' && delivery === 'AT_LEAST_ONCE');
}

function usedUp({ run, provider }: AttemptRequest): AttemptsUsedUpError {
  const made = run.attemptsMade.filter((attempt) => attempt.provider === provider);
  const message = `All ${made.length} attempts of generation ${run.generation.id} at ${provider} are used up.`;
  return new AttemptsUsedUpError(message, made.at(-1));
}
