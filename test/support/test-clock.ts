import { type Clock, systemClock } from '../../src/clock.ts';

/** The system's time, but for what a test needs otherwise. */
export interface TestClock extends Clock {
  /** Waits of 3 s and more, in milliseconds, in the order they were asked for. None of them was waited for. */
  readonly longWaitsMs: readonly number[];
  /** Sets the clock forward. */
  jump(byMs: number): void;
}

/** Above the gateway's own rhythms (polling, heartbeat), at or below the first wait before a retry. */
const LONG_WAIT_MS = 3_000;

export function createTestClock(): TestClock {
  const longWaitsMs: number[] = [];
  let aheadMs = 0;
  return {
    longWaitsMs,
    jump(byMs) {
      aheadMs += byMs;
    },
    now: () => new Date(Date.now() + aheadMs),
    async sleep(delayMs, signal) {
      if (delayMs < LONG_WAIT_MS) return systemClock.sleep(delayMs, signal);
      longWaitsMs.push(delayMs);
      signal?.throwIfAborted();
    },
  };
}
