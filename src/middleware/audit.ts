import { ForbiddenError, IdempotencyConflictError, QuotaExceededError } from '../errors.ts';
import type { AuditLine } from '../ledger/audit.ts';
import type { GenerationAnswer, GenerationRequest, RequestMiddleware } from './middleware.ts';

export interface AuditOptions {
  /** Resolves once the line is committed. */
  readonly append: (line: AuditLine) => Promise<void>;
  /** Told when the line of a replay could not be written; the replay itself was answered. */
  readonly onError: (error: unknown) => void;
}

/**
 * Puts on record what the ledger's own transactions don't: replays, conflicts and denials. (A new generation,
 * its attempts and its end are recorded by the statements that make them, so that neither is without the other.)
 */
export function audit({ append, onError }: AuditOptions): RequestMiddleware {
  return async function audit(request, next) {
    let answer: GenerationAnswer;
    try {
      answer = await next(request);
    } catch (error) {
      const line = refusalOf(error, request);
      if (line !== undefined) await append(line);
      throw error;
    }
    // Not waited for: a replay costs no SQL in the caller's time. The trail writes such lines in batches.
    if (answer.replayed) append(line('GENERATION_REPLAYED', request, answer.generation.id)).catch(onError);
    return answer;
  };
}

function refusalOf(error: unknown, request: GenerationRequest): AuditLine | undefined {
  if (error instanceof IdempotencyConflictError) {
    return line('GENERATION_CONFLICTED', request, error.existingGeneration.id, error.message);
  }
  if (error instanceof ForbiddenError || error instanceof QuotaExceededError) {
    return line('GENERATION_DENIED', request, undefined, error.message);
  }
  return undefined;
}

const line = (
  action: AuditLine['action'],
  { principal, requestId }: GenerationRequest,
  generationId?: string,
  message?: string,
): AuditLine => ({
  action,
  requestId,
  clientId: principal.clientId,
  ...(generationId === undefined ? {} : { generationId }),
  ...(message === undefined ? {} : { message }),
});
