import {
  AttemptsUsedUpError,
  DeadlineExceededError,
  InvalidPictureError,
  ProviderFailure,
} from '../errors.ts';
import type { Circuit } from '../provider-circuit.ts';
import type { AttemptMiddleware, AttemptRequest } from './middleware.ts';

export interface BreakerOptions {
  /** The circuit of a provider; undefined where it has none. */
  readonly circuitOf: (provider: string) => Circuit | undefined;
  readonly now: () => Date;
}

/** What a generation is on record with that was not sent because the circuit was open. */
export const CIRCUIT_OPEN = 'CIRCUIT_OPEN';

/**
 * Spares a provider that fails, and the caller the wait for it. An open circuit makes no attempt: nothing was sent, so the
 * key is free, and a generation with a route goes on to its next provider. All attempts of a generation count as one.
 */
export function breaker({ circuitOf, now }: BreakerOptions): AttemptMiddleware {
  return async function breaker(request, next) {
    const circuit = circuitOf(request.provider);
    if (circuit === undefined) return next(request);
    const enteredAt = now();
    const pass = circuit.enter(request.deadlineAt);
    if (pass === undefined) {
      throw new ProviderFailure(`${request.provider} failed again and again, and is not asked for a while.`, {
        outcome: 'NOT_ACCEPTED',
        providerCode: CIRCUIT_OPEN,
        retryAfterMs: circuit.retryAfterMs,
      });
    }
    try {
      const delivered = await next(request);
      pass.answered();
      return delivered;
    } catch (error) {
      pass[verdictOf(error, request, enteredAt)]();
      throw error;
    }
  };
}

/** What the end of a generation at a provider says of that provider. */
function verdictOf(
  error: unknown,
  request: AttemptRequest,
  enteredAt: Date,
): 'answered' | 'failed' | 'leave' {
  const { signal, handover } = request;
  if (error instanceof InvalidPictureError) return 'answered';
  // What was cut short by the deadline is told as its cause; without one, nothing had been sent.
  const failure = error instanceof DeadlineExceededError ? error.cause : error;
  if (!(failure instanceof ProviderFailure) || failure instanceof AttemptsUsedUpError) return 'leave';
  // A refused prompt speaks for the provider; a refused key keeps everybody from it.
  if (failure.outcome === 'REJECTED' && failure.rejection !== 'OPERATOR') return 'answered';
  if (signal.aborted || handover.aborted) return 'leave';
  return error instanceof DeadlineExceededError && !hadFairShare(request, enteredAt) ? 'leave' : 'failed';
}

/** Whether it had half of the time at least. Where those before it on the route took more, a good one may be late too. */
function hadFairShare({ generation: { startedAt }, deadlineAt }: AttemptRequest, enteredAt: Date): boolean {
  const endMs = deadlineAt.getTime();
  return 2 * (endMs - enteredAt.getTime()) >= endMs - (startedAt ?? enteredAt).getTime();
}
