import { DeadlineExceededError, FencedError, InvalidPictureError, ProviderFailure } from '../errors.ts';
import type { AttemptMiddleware } from './middleware.ts';

export interface DeadlineOptions {
  readonly now: () => Date;
}

/** One deadline for all attempts of a generation and the waits between them. */
export function deadline({ now }: DeadlineOptions): AttemptMiddleware {
  return async function deadline(request, next) {
    const remainingMs = request.deadlineAt.getTime() - now().getTime();
    if (remainingMs <= 0) throw exceeded(undefined);
    const timeout = new AbortController();
    const timer = setTimeout(() => timeout.abort(exceeded(undefined)), remainingMs);
    try {
      return await next({ ...request, signal: AbortSignal.any([request.signal, timeout.signal]) });
    } catch (error) {
      // What the provider answered in full is told as it is; everything else was cut short by the deadline.
      if (!timeout.signal.aborted || isAnswer(error)) throw error;
      throw exceeded(error);
    } finally {
      clearTimeout(timer);
    }
  };
}

const isAnswer = (error: unknown): boolean =>
  error instanceof InvalidPictureError ||
  error instanceof FencedError ||
  (error instanceof ProviderFailure && error.outcome === 'REJECTED');

const exceeded = (cause: unknown): DeadlineExceededError =>
  new DeadlineExceededError(
    'No image came before the deadline of the generation.',
    cause === undefined ? undefined : { cause },
  );
