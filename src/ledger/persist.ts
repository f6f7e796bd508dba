import { GatewayError } from '../errors.ts';
import { isConnectionError } from './database.ts';

export interface PersistOptions {
  /** How often something else than an absence of the database is tried again. @default 0 */
  readonly maxRefusals?: number;
  /** Gives up waiting; the last error is thrown. */
  readonly signal: AbortSignal;
  readonly onRetry: (error: unknown) => void;
  readonly sleep: (delayMs: number, signal: AbortSignal) => Promise<void>;
}

const FIRST_DELAY_MS = 100;
const LONGEST_DELAY_MS = 2_000;

/**
 * Runs a write until the database answers: what was paid for is not given up because the ledger was away for a
 * while. What it refuses is tried again `maxRefusals` times (it may be a deadlock, or a full disk), and then thrown;
 * what we throw on purpose, at once.
 */
export async function persist<Result>(
  write: () => Promise<Result>,
  { maxRefusals = 0, signal, onRetry, sleep }: PersistOptions,
): Promise<Result> {
  let refusals = 0;
  for (let delayMs = FIRST_DELAY_MS; ; delayMs = Math.min(delayMs * 2, LONGEST_DELAY_MS)) {
    try {
      return await write();
    } catch (error) {
      if (error instanceof GatewayError || signal.aborted) throw error;
      if (!isConnectionError(error)) refusals += 1;
      if (refusals > maxRefusals) throw error;
      onRetry(error);
      await sleep(delayMs, signal).catch(() => {
        throw error;
      });
    }
  }
}
