import { InvalidPictureError, ProviderFailure } from '../errors.ts';
import type { Attempt, StagedPicture } from '../generation.ts';
import type { AttemptLog } from '../ledger/attempts.ts';
import type { Run } from '../ledger/run.ts';
import type { DeliveredPicture } from '../middleware/middleware.ts';

export interface RecoveryOptions {
  readonly log: AttemptLog;
  /** The complete staged picture of an attempt, where this machine has it. */
  readonly findStaged: (attemptId: string) => Promise<StagedPicture | undefined>;
}

/**
 * What a replica that took over a generation does about the last attempt of the one before:
 *
 * - its picture is on this disk, whole: it is delivered, and nothing is sent again;
 * - it was cut off: it is recorded as UNKNOWN, and thrown, for AT_MOST_ONCE to end on;
 * - it had ended in a way that nothing can follow: that is thrown again.
 *
 * Resolves with undefined where the attempt ring may go on, as it may where the last attempt was at another provider: that
 * one was given up, and this one was asked for nothing yet.
 */
export async function recover(
  run: Run,
  { log, findStaged }: RecoveryOptions,
): Promise<DeliveredPicture | undefined> {
  const last = run.attemptsMade.at(-1);
  if (last === undefined) return undefined;
  if (last.outcome === 'PENDING') {
    const staged = await findStaged(last.id);
    if (staged !== undefined) return { attempt: last, httpStatus: 200, staged };
    const ending = {
      outcome: 'UNKNOWN',
      httpStatus: undefined,
      errorCode: 'CUT_OFF',
      rejection: undefined,
    } as const;
    await log.fail(run, last, ending);
    return goOnUnless(
      run,
      new ProviderFailure(CUT_OFF, { outcome: 'UNKNOWN', providerCode: ending.errorCode }),
    );
  }
  if (last.provider !== run.generation.provider) return undefined;
  return goOnUnless(run, failureOf(last));
}

const CUT_OFF = 'The gateway stopped while the provider was answering.';

function goOnUnless(run: Run, failure: ProviderFailure | InvalidPictureError): undefined {
  const final =
    failure instanceof InvalidPictureError ||
    failure.outcome === 'REJECTED' ||
    (failure.outcome === 'UNKNOWN' && run.generation.delivery === 'AT_MOST_ONCE');
  if (final) throw failure;
  return undefined;
}

/** What the ring threw before the replica died, as far as the record tells. */
function failureOf({
  outcome,
  httpStatus,
  errorCode,
  rejection,
}: Attempt): ProviderFailure | InvalidPictureError {
  if (errorCode === 'INVALID_IMAGE') {
    return new InvalidPictureError('The provider answered, but with no image that decodes.', { httpStatus });
  }
  return new ProviderFailure(
    `The provider answered ${httpStatus === undefined ? 'nothing that could be read' : `HTTP ${httpStatus}`}.`,
    {
      outcome: outcome === 'REJECTED' || outcome === 'NOT_ACCEPTED' ? outcome : 'UNKNOWN',
      httpStatus,
      providerCode: errorCode,
      rejection,
    },
  );
}
