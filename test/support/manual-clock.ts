import type { Clock } from '../../src/clock.ts';
import { NOON } from '../../src/testing/made-up.ts';

/** Time that passes only when the test says so. */
export interface ManualClock extends Clock {
  /** Every wait that was asked for, in milliseconds. */
  readonly waitsMs: readonly number[];
  /** Milliseconds since the clock was made. */
  readonly elapsedMs: number;
  /** Lets time pass, and whoever's wait is over run, one after the other. */
  advance(byMs: number): Promise<void>;
}

export interface ManualClockOptions {
  /** Whether each wait passes by itself, at once. @default false */
  readonly hurried?: boolean;
}

/** Enough turns of the loop for what was just woken to come to rest. */
const settle = async (): Promise<void> => {
  for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
};

export function createManualClock({ hurried = false }: ManualClockOptions = {}): ManualClock {
  const waitsMs: number[] = [];
  const sleepers = new Set<{ readonly until: number; readonly wake: () => void }>();
  let elapsedMs = 0;

  const clock: ManualClock = {
    waitsMs,
    get elapsedMs() {
      return elapsedMs;
    },
    now: () => new Date(NOON.getTime() + elapsedMs),
    async sleep(delayMs, signal) {
      waitsMs.push(delayMs);
      signal?.throwIfAborted();
      const until = elapsedMs + delayMs;
      if (hurried) {
        elapsedMs = until;
        return;
      }
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      const sleeper = { until, wake: resolve };
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
    async advance(byMs) {
      const end = elapsedMs + byMs;
      await settle();
      for (;;) {
        const [next] = [...sleepers].filter(({ until }) => until <= end).sort((a, b) => a.until - b.until);
        if (next === undefined) break;
        elapsedMs = Math.max(elapsedMs, next.until);
        sleepers.delete(next);
        next.wake();
        await settle();
      }
      elapsedMs = end;
      await settle();
    },
  };
  return clock;
}
