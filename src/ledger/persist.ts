import { isConnectionError } from './database.ts';

export interface PersistOptions {
  /** Gives up waiting; the last error is thrown. */
  readonly signal: AbortSignal;
  readonly onRetry: (error: unknown) => void;
  readonly sleep: (delayMs: number, signal: AbortSignal) => Promise<void>;
}

const FIRST_DELAY_MS = 100;
const LONGEST_DELAY_MS = 2_000;

/**
 * Runs a write until the database answers: what was paid for is not given up because the ledger was away for a
 * while. Only failures to reach it are tried again; what it refuses is thrown.
 */
export async function persist<Result>(
  write: () => Promise<Result>,
  { signal, onRetry, sleep }: PersistOptions,
): Promise<Result> {
  for (let delayMs = FIRST_DELAY_MS; ; delayMs = Math.min(delayMs * 2, LONGEST_DELAY_MS)) {
    try {
      return await write();
    } catch (error) {
      if (!isConnectionError(error) || signal.aborted) throw error;
      onRetry(error);
    }
    await sleep(delayMs, signal);
  }
}
