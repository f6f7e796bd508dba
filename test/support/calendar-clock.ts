import { type Clock, systemClock } from '../../src/clock.ts';

/** The system's time, with days that pass when the test says so. */
export interface CalendarClock extends Clock {
  /** How many wait for a jump. */
  readonly waiting: number;
  /** Sets the clock forward, and wakes whoever's wait is over by then. */
  jump(byMs: number): void;
}

export const DAY_MS = 24 * 3600 * 1000;

/** What is scheduled by the minute or the hour, rather than the gateway's own rhythms. */
const LONG_WAIT_MS = 60_000;

/** A clock for a whole gateway whose long waits end by `jump` alone; the short ones are waited for. */
export function createCalendarClock(): CalendarClock {
  let aheadMs = 0;
  const sleepers = new Set<{ readonly until: number; readonly wake: () => void }>();
  const now = (): Date => new Date(Date.now() + aheadMs);
  return {
    now,
    get waiting() {
      return sleepers.size;
    },
    jump(byMs) {
      aheadMs += byMs;
      for (const sleeper of [...sleepers]) if (sleeper.until <= now().getTime()) sleeper.wake();
    },
    async sleep(delayMs, signal) {
      if (delayMs < LONG_WAIT_MS) return systemClock.sleep(delayMs, signal);
      signal?.throwIfAborted();
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      const sleeper = { until: now().getTime() + delayMs, wake: resolve };
      const leave = (): void => reject(signal?.reason);
      sleepers.add(sleeper);
      signal?.addEventListener('abort', leave);
      try {
        await promise;
      } finally {
        sleepers.delete(sleeper);
        signal?.removeEventListener('abort', leave);
      }
    },
  };
}
