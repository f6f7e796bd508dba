import { AbortedError, NetworkError } from './errors.ts';

/** Time that something may take. */
export interface Limit {
  /** Aborted by the caller's signal, or when the time is over. */
  readonly signal: AbortSignal;
  /** Something came: the time begins anew, with this many milliseconds. */
  readonly extend: (limitMs: number) => void;
  /** What to throw in the place of an error that came after the limit or the caller's signal. */
  readonly reasonOf: (error: unknown) => unknown;
  /** To be called at the end. */
  readonly release: () => void;
}

/**
 * Limits what must not hang: a connection that was dropped without a word says nothing. `totalMs` is never extended.
 * @throws {AbortedError} when the signal is aborted already.
 */
export function startLimit(signal: AbortSignal | undefined, limitMs: number, totalMs?: number): Limit {
  if (signal?.aborted === true) throw new AbortedError(signal.reason);
  const controller = new AbortController();
  const tooLate = new NetworkError('The gateway said nothing for too long.');
  const abort = (): void => controller.abort(signal?.reason);
  const end = (): void => controller.abort(tooLate);
  signal?.addEventListener('abort', abort, { once: true });
  let timer = setTimeout(end, limitMs);
  const total = totalMs === undefined ? undefined : setTimeout(end, totalMs);
  return {
    signal: controller.signal,
    extend(moreMs) {
      clearTimeout(timer);
      timer = setTimeout(end, moreMs);
    },
    reasonOf(error) {
      if (signal?.aborted === true) return new AbortedError(signal.reason);
      return controller.signal.aborted ? tooLate : error;
    },
    release() {
      clearTimeout(timer);
      clearTimeout(total);
      signal?.removeEventListener('abort', abort);
      // Whatever is still open by it ends.
      controller.abort();
    },
  };
}

/**
 * @throws {AbortedError} when the caller's signal was aborted, whatever `run` made of it.
 * @throws {NetworkError} when the time is over.
 */
export async function limited<Result>(
  signal: AbortSignal | undefined,
  limitMs: number,
  run: (limit: Limit) => Promise<Result>,
): Promise<Result> {
  const limit = startLimit(signal, limitMs);
  try {
    return await run(limit);
  } catch (error) {
    throw limit.reasonOf(error);
  } finally {
    limit.release();
  }
}
