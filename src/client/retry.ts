import type { ClientClock } from './clock.ts';
import { called, GatewayUnavailableError, type GessoError, NetworkError, throwIfAborted } from './errors.ts';

/** A failure on the way, which is tried again. */
export interface Retry {
  readonly error: GessoError;
  /** Until it is tried again. */
  readonly delayMs: number;
}

export interface RetryOptions {
  readonly clock: ClientClock;
  /** How long it goes on after the first failure, in milliseconds. */
  readonly forMs: number;
  readonly signal: AbortSignal | undefined;
  readonly onRetry?: ((retry: Retry) => void) | undefined;
}

const FIRST_DELAY_MS = 200;
const MAX_DELAY_MS = 10_000;
/** A fault of the gateway rarely passes; a connection does. */
const TRIES_OF_A_FAULT = 3;

/** Doubles from a fifth of a second to ten seconds, and half of it is chance, so that many don't come back at once. */
export const backoffMs = (failures: number): number =>
  Math.min(MAX_DELAY_MS, FIRST_DELAY_MS * 2 ** (failures - 1)) * (0.5 + Math.random() / 2);

/** Tries again what failed on the way: no connection, a cut answer, 408, 429, 5xx. `Retry-After` is honoured. */
export async function retrying<Result>(
  run: () => Promise<Result>,
  { clock, forMs, signal, onRetry }: RetryOptions,
): Promise<Result> {
  let giveUpAt: number | undefined;
  let faults = 0;
  for (let failures = 1; ; failures++) {
    throwIfAborted(signal);
    try {
      return await run();
    } catch (error) {
      if (!isPassing(error)) throw error;
      if (error instanceof GatewayUnavailableError && error.httpStatus === 500) faults += 1;
      if (faults === TRIES_OF_A_FAULT) throw error;
      giveUpAt ??= clock.now() + forMs;
      const asked = error instanceof GatewayUnavailableError ? (error.retryAfterSeconds ?? 0) * 1000 : 0;
      const delayMs = Math.max(backoffMs(failures), asked);
      if (clock.now() + delayMs > giveUpAt) throw error;
      called('onRetry', () => onRetry?.({ error, delayMs }));
      await clock.sleep(delayMs, signal);
    }
  }
}

export const isPassing = (error: unknown): error is NetworkError | GatewayUnavailableError =>
  error instanceof NetworkError || error instanceof GatewayUnavailableError;
