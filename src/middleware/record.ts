import { randomUUID } from 'node:crypto';
import { v7 as uuidv7 } from 'uuid';
import { FencedError, GatewayError, InvalidPictureError, ProviderFailure } from '../errors.ts';
import type { Attempt } from '../generation.ts';
import type { AttemptEnding, AttemptLog } from '../ledger/attempts.ts';
import type { AttemptMiddleware } from './middleware.ts';

export interface RecordOptions {
  readonly log: AttemptLog;
  readonly now: () => Date;
}

/**
 * Puts every call on record before a byte of it is sent, and how it failed after. That it succeeded is written
 * only together with the image.
 */
export function record({ log, now }: RecordOptions): AttemptMiddleware {
  return async function record(request, next) {
    const attempt: Attempt = {
      id: uuidv7(),
      generationId: request.generation.id,
      number: request.attemptNumber,
      requestId: randomUUID(),
      provider: request.provider,
      outcome: 'PENDING',
      httpStatus: undefined,
      errorCode: undefined,
      rejection: undefined,
      startedAt: now(),
      finishedAt: undefined,
    };
    request.signal.throwIfAborted();
    await log.begin(request.run, attempt, request.signal).catch(async (error: unknown) => {
      if (error instanceof FencedError) throw error;
      // Its commit may have gone through all the same, and nothing was sent.
      await log.fail(request.run, attempt, NOT_SENT).catch((failure: unknown) => {
        if (!(failure instanceof FencedError)) throw failure;
      });
      throw error;
    });
    try {
      return await next({ ...request, attempt });
    } catch (error) {
      if (!(error instanceof FencedError)) await log.fail(request.run, attempt, endingOf(error));
      throw error;
    }
  };
}

const NOT_SENT: AttemptEnding = {
  outcome: 'NOT_ACCEPTED',
  httpStatus: undefined,
  errorCode: 'NOT_SENT',
  rejection: undefined,
};

/** What went wrong, as columns. Whatever isn't known to be unaccepted may have been billed. */
function endingOf(error: unknown): AttemptEnding {
  if (error instanceof ProviderFailure) {
    const { outcome, httpStatus, providerCode, rejection } = error;
    return { outcome, httpStatus, errorCode: providerCode, rejection };
  }
  const httpStatus = error instanceof InvalidPictureError ? error.httpStatus : undefined;
  const errorCode = error instanceof GatewayError ? error.code : 'INTERNAL';
  return { outcome: 'UNKNOWN', httpStatus, errorCode, rejection: undefined };
}
