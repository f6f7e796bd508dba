import type { Clock } from '../clock.ts';
import { FencedError, HandoverError, InvalidPictureError, StorageError } from '../errors.ts';
import type { Attempt, Generation } from '../generation.ts';
import { blobKeyOf } from '../images/blob-key.ts';
import type { AttemptLog } from '../ledger/attempts.ts';
import { persist } from '../ledger/persist.ts';
import type { Queue } from '../ledger/queue.ts';
import type { Run } from '../ledger/run.ts';
import type { Ended, FailedEnding, Runs } from '../ledger/runs.ts';
import type { AttemptRequest, DeliveredPicture } from '../middleware/middleware.ts';
import type { Onward } from '../routing.ts';
import { endingOf } from './ending.ts';
import { mayFallBack, reasonOf } from './fallback.ts';
import { type KeepOptions, keep } from './keep.ts';
import { recover } from './recovery.ts';

export interface ExecuteOptions {
  readonly attemptRing: (request: AttemptRequest) => Promise<DeliveredPicture>;
  readonly log: AttemptLog;
  readonly attemptsOf: (generationId: string) => Promise<readonly Attempt[]>;
  readonly staging: {
    readonly find: (attemptId: string) => ReturnType<Parameters<typeof recover>[1]['findStaged']>;
    readonly discard: (attemptId: string) => Promise<void>;
  };
  readonly keeping: KeepOptions;
  readonly runs: Runs;
  /** Where a generation goes on that its provider did not take; undefined at the end of its route. */
  readonly onward: (generation: Generation) => Onward | undefined;
  readonly queue: Queue;
  readonly clock: Clock;
  /** Ends the calls that are under way: the time to drain is over. */
  readonly signal: AbortSignal;
  /** Ends the waits between calls: the replica is shutting down. */
  readonly handover: AbortSignal;
  readonly onEnded: (ended: Ended) => void;
  /** The generation goes on: at another replica, or with another provider, here or elsewhere. */
  readonly onHandedOver: (run: Run) => void;
  readonly onError: (error: unknown, run: Run) => void;
}

/** How often the ledger may refuse the end of a generation before the run is left to another one. */
const MAX_REFUSALS = 8;

/**
 * Runs one generation to its end, or to the next provider of its route: recovers, calls the provider through the ring,
 * keeps the picture, writes it down. The
 * signal `canceled` ends calls and waits at once; whether the generation was canceled is then asked of the ledger.
 */
export function createExecute(options: ExecuteOptions): (run: Run, canceled: AbortSignal) => Promise<void> {
  const { attemptRing, log, attemptsOf, staging, keeping, runs, queue, clock, handover } = options;

  /** Until the database answers: an end that is not written would be bought again. */
  const written = <Result>(run: Run, write: () => Promise<Result>): Promise<Result> =>
    persist(write, {
      maxRefusals: MAX_REFUSALS,
      signal: options.signal,
      sleep: clock.sleep,
      onRetry: (error) => options.onError(error, run),
    });

  async function deliver(run: Run, signal: AbortSignal): Promise<DeliveredPicture> {
    const recovered = await recover(run, { log, findStaged: staging.find });
    if (recovered !== undefined) return recovered;
    const { generation, attemptsMade, deadlineAt } = run;
    return attemptRing({
      generation,
      run,
      provider: generation.provider ?? '',
      attemptNumber: attemptsMade.length + 1,
      deadlineAt,
      signal,
      handover,
      attempt: undefined,
    });
  }

  async function succeed(run: Run, delivered: DeliveredPicture, signal: AbortSignal): Promise<Ended> {
    const { attempt, httpStatus, staged } = delivered;
    try {
      const image = await keep(staged, run.deadlineAt, signal, keeping);
      const ending = { status: 'SUCCEEDED', attempt, httpStatus, model: staged.model, image } as const;
      return await written(run, () => runs.finish(run, ending));
    } catch (error) {
      if (!(error instanceof InvalidPictureError || error instanceof StorageError)) throw error;
      // The call was answered, and is likely billed, whatever became of the answer.
      const ending = { outcome: 'UNKNOWN', httpStatus, errorCode: error.code, rejection: undefined } as const;
      return fail(run, error, { attempt, ending });
    }
  }

  /**
   * Hands the generation over to the next provider, where one may be asked; not after the deadline, which is one for the
   * whole route.
   * @throws {HandoverError} once the calls are cut by a shutdown, which is no fault of the provider: whoever takes the run
   * over goes on with what is on record.
   */
  async function fallBack(run: Run, error: unknown): Promise<boolean> {
    const { generation, deadlineAt } = run;
    const onward = options.onward(generation);
    if (onward === undefined || clock.now().getTime() >= deadlineAt.getTime()) return false;
    const attempts = await written(run, () => attemptsOf(generation.id));
    if (!mayFallBack(error, generation.delivery, attempts)) return false;
    if (options.signal.aborted) throw new HandoverError('The replica is shutting down.', { cause: error });
    const { provider, route } = onward;
    const to = { provider: provider.name, model: provider.models[0], route, reason: reasonOf(error) };
    await written(run, () => runs.reroute(run, to));
    return true;
  }

  async function fail(run: Run, error: unknown, attempt?: FailedEnding['attempt']): Promise<Ended> {
    const attempts = await written(run, () => attemptsOf(run.generation.id));
    const ending = { ...endingOf(error, run.generation.delivery, attempts), attempt };
    return written(run, () => runs.finish(run, ending));
  }

  /** Whether the end of the run is that of a canceled generation. Where the ledger does not say so, it is not. */
  async function isCanceled(run: Run): Promise<boolean> {
    try {
      return (await written(run, () => runs.statusOf(run.generation.id))) === 'CANCELED';
    } catch (error) {
      options.onError(error, run);
      return false;
    }
  }

  /**
   * Nobody asks for this picture any more. Only where the generation is canceled: fenced by a takeover on this disk, the
   * very same picture may be about to be committed.
   */
  async function dispose({ attempt: { id } }: DeliveredPicture): Promise<void> {
    await staging.discard(id);
    await keeping.store.delete(blobKeyOf(id));
  }

  return async function execute(run, canceled) {
    const signal = AbortSignal.any([options.signal, canceled]);
    let delivered: DeliveredPicture | undefined;
    try {
      let ended: Ended;
      try {
        delivered = await deliver(run, signal);
        ended = await succeed(run, delivered, signal);
      } catch (error) {
        // A picture that came is not written off: it stays staged, for the run that takes over.
        if (error instanceof FencedError || error instanceof HandoverError || delivered) throw error;
        if (canceled.aborted) throw error;
        options.onError(error, run);
        if (await fallBack(run, error)) return options.onHandedOver(run);
        ended = await fail(run, error);
      }
      options.onEnded(ended);
      // What is stored needs no second name; what could not be stored or decoded is the operator's.
      if (delivered !== undefined && ended.generation.status === 'SUCCEEDED') {
        await staging.discard(delivered.attempt.id).catch((error: unknown) => options.onError(error, run));
      }
    } catch (error) {
      if ((error instanceof FencedError || canceled.aborted) && (await isCanceled(run))) {
        if (delivered) await dispose(delivered).catch((failure: unknown) => options.onError(failure, run));
        return;
      }
      options.onError(error, run);
      options.onHandedOver(run);
      // Fenced, the job is another's already. What met a fault is given back by the sweep, which is a pause for it.
      if (error instanceof HandoverError || handover.aborted) await queue.release([run.job]);
    }
  };
}
