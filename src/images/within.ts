/**
 * Gives a piece of work so long, and aborts it when it takes longer or fails. It need not listen to the signal:
 * after that time nobody waits for it any more.
 *
 * @throws what the work throws; an `Error` named `TimeoutError`.
 */
export const within = async <Result>(
  timeoutMs: number,
  work: (signal: AbortSignal) => Promise<Result>,
): Promise<Result> => {
  const aborting = new AbortController();
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(timeoutError(timeoutMs)), timeoutMs);
  try {
    return await Promise.race([work(aborting.signal), late.promise]);
  } catch (error) {
    aborting.abort(error);
    throw error;
  } finally {
    clearTimeout(timer);
  }
};

const timeoutError = (timeoutMs: number): Error => {
  const error = new Error(`No answer came within ${timeoutMs} ms.`);
  error.name = 'TimeoutError';
  return error;
};
