/** Time as the client sees it, passed in so that tests need not wait. */
export interface ClientClock {
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** Resolves after the delay, or as soon as the signal is aborted. */
  readonly sleep: (delayMs: number, signal?: AbortSignal) => Promise<void>;
}

export const systemClock: ClientClock = {
  now: Date.now,
  sleep: (delayMs, signal) =>
    new Promise((resolve) => {
      if (signal?.aborted === true) return resolve();
      const over = (): void => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', over);
        resolve();
      };
      const timer = setTimeout(over, delayMs);
      signal?.addEventListener('abort', over, { once: true });
    }),
};
