import { setTimeout as wait } from 'node:timers/promises';

/** Time as the pipeline sees it, passed in so that tests need not wait. */
export interface Clock {
  readonly now: () => Date;
  /** Resolves after the delay; rejects with the signal's reason when it is aborted. */
  readonly sleep: (delayMs: number, signal?: AbortSignal) => Promise<void>;
}

export const systemClock: Clock = {
  now: () => new Date(),
  async sleep(delayMs, signal) {
    await wait(delayMs, undefined, signal === undefined ? {} : { signal });
  },
};
