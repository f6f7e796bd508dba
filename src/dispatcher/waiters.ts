import type { Ended } from '../ledger/runs.ts';

export interface WaitersOptions {
  /** Looks up which of these generations have ended. */
  readonly findEnded: (generationIds: readonly string[]) => Promise<readonly Ended[]>;
  /** How often it is looked up in case a word was missed, in milliseconds. @default 5000 */
  readonly pollMs?: number;
  readonly onError: (error: unknown) => void;
}

type Wake = (ended: Ended | undefined) => void;

/** Who waits here for generations that run here or on any other replica. */
export function createWaiters({ findEnded, pollMs = 5_000, onError }: WaitersOptions) {
  const waiting = new Map<string, Set<Wake>>();
  let asked = new Set<string>();
  let looking: Promise<void> | undefined;
  let released = false;

  const tell = (generationId: string, ended: Ended | undefined): void => {
    const wakes = waiting.get(generationId);
    waiting.delete(generationId);
    for (const wake of wakes ?? []) wake(ended);
  };

  /** Asks after the generation soon; what is asked in the same turn shares a query. */
  function lookUp(generationIds: Iterable<string>): void {
    for (const id of generationIds) if (waiting.has(id)) asked.add(id);
    if (asked.size === 0) return;
    looking ??= new Promise((resolve) => setImmediate(resolve))
      .then(async () => {
        const ids = [...asked];
        asked = new Set();
        for (const ended of await findEnded(ids)) tell(ended.generation.id, ended);
      })
      .catch(onError)
      .finally(() => {
        looking = undefined;
        lookUp([]);
      });
  }

  const timer = setInterval(() => lookUp(waiting.keys()), pollMs);
  timer.unref();

  return {
    /**
     * Resolves with the ended generation; with undefined after `waitMs`, when the signal is aborted, or when
     * this replica lets its callers go.
     */
    wait(generationId: string, waitMs: number, signal: AbortSignal | undefined): Promise<Ended | undefined> {
      if (released || waitMs <= 0 || signal?.aborted === true) return Promise.resolve(undefined);
      return new Promise((resolve) => {
        const leave = (): void => wake(undefined);
        const limit = setTimeout(leave, waitMs);
        const wake: Wake = (ended) => {
          clearTimeout(limit);
          signal?.removeEventListener('abort', leave);
          const wakes = waiting.get(generationId);
          wakes?.delete(wake);
          if (wakes?.size === 0) waiting.delete(generationId);
          resolve(ended);
        };
        signal?.addEventListener('abort', leave, { once: true });
        const wakes = waiting.get(generationId) ?? new Set();
        wakes.add(wake);
        waiting.set(generationId, wakes);
      });
    },
    /** Answers whoever waits for it here. */
    settle: (ended: Ended): void => tell(ended.generation.id, ended),
    /** Lets go whoever waits for it here: it goes on elsewhere. */
    release: (generationId: string): void => tell(generationId, undefined),
    /** Lets everyone go, and whoever comes from here on. */
    releaseAll(): void {
      released = true;
      for (const id of [...waiting.keys()]) tell(id, undefined);
    },
    /** To be called when a generation may have ended, or words may have been missed. */
    lookUp,
    lookUpAll: (): void => lookUp(waiting.keys()),
    async close(): Promise<void> {
      clearInterval(timer);
      await looking;
    },
  };
}

export type Waiters = ReturnType<typeof createWaiters>;
