import { TooManySubscriptionsError } from '../errors.ts';
import type { Attempt, Generation } from '../generation.ts';

/** A generation as it is at one moment, with what makes that moment differ from another. */
export interface Moment {
  readonly generation: Generation;
  readonly attempts: readonly Attempt[];
}

export interface UpdatesOptions {
  /** Looks up generations as they are now; what is gone is left out. */
  readonly find: (generationIds: readonly string[]) => Promise<readonly Moment[]>;
  /** How often it is looked up in case a word was missed, in milliseconds. @default 5000 */
  readonly pollMs?: number;
  readonly onError: (error: unknown) => void;
}

export interface WatchRequest {
  readonly generationId: string;
  /** Who watches. */
  readonly clientId: string;
  /** Aborted when whoever watches is gone. */
  readonly signal: AbortSignal;
}

/** Each holds a connection and some memory. */
export const MAX_WATCHES_PER_CLIENT = 1_000;

interface Watcher {
  readonly tell: (moment: Moment | undefined) => void;
}

/** Who watches generations from here, wherever they run. */
export function createUpdates({ find, pollMs = 5_000, onError }: UpdatesOptions) {
  const watching = new Map<string, Set<Watcher>>();
  /** How many each client has. */
  const watches = new Map<string, number>();
  let asked = new Set<string>();
  let looking: Promise<void> | undefined;

  /** Looks at the generations soon; what is asked in the same turn shares a query. */
  function lookUp(generationIds: Iterable<string>): void {
    for (const id of generationIds) if (watching.has(id)) asked.add(id);
    if (asked.size === 0) return;
    looking ??= new Promise((resolve) => setImmediate(resolve))
      .then(async () => {
        const ids = [...asked];
        asked = new Set();
        const moments = new Map((await find(ids)).map((moment) => [moment.generation.id, moment]));
        for (const id of ids) for (const { tell } of watching.get(id) ?? []) tell(moments.get(id));
      })
      .catch(onError)
      .finally(() => {
        looking = undefined;
        lookUp([]);
      });
  }

  const timer = setInterval(() => lookUp(watching.keys()), pollMs);
  timer.unref();

  return {
    /**
     * The generation as it is now, then each time it has changed, until it has ended or is gone. A reader that is slow
     * gets the newest state, not every one between.
     * @throws {TooManySubscriptionsError}
     */
    watch({ generationId, clientId, signal }: WatchRequest): AsyncIterableIterator<Generation> {
      const count = watches.get(clientId) ?? 0;
      if (count >= MAX_WATCHES_PER_CLIENT) {
        const message = `A client has ${MAX_WATCHES_PER_CLIENT} subscriptions at most at one replica.`;
        throw new TooManySubscriptionsError(message);
      }
      watches.set(clientId, count + 1);
      let latest: Moment | undefined;
      let toldVersion: string | undefined;
      let over = false;
      let waiting: ((result: IteratorResult<Generation>) => void) | undefined;

      const watcher: Watcher = {
        tell(moment) {
          if (moment === undefined) return leave();
          latest = moment;
          offer();
        },
      };
      const watchers = watching.get(generationId) ?? new Set();
      watching.set(generationId, watchers.add(watcher));

      function leave(): void {
        if (over) return;
        over = true;
        signal.removeEventListener('abort', leave);
        const left = (watches.get(clientId) ?? 1) - 1;
        if (left === 0) watches.delete(clientId);
        else watches.set(clientId, left);
        watchers.delete(watcher);
        if (watchers.size === 0 && watching.get(generationId) === watchers) watching.delete(generationId);
        waiting?.({ done: true, value: undefined });
        waiting = undefined;
      }

      if (signal.aborted) leave();
      else signal.addEventListener('abort', leave, { once: true });

      function offer(): void {
        if (waiting === undefined || latest === undefined) return;
        const version = versionOf(latest);
        if (version === toldVersion) return;
        toldVersion = version;
        const { generation } = latest;
        const deliver = waiting;
        waiting = undefined;
        deliver({ done: false, value: generation });
        if (generation.finishedAt !== undefined) leave();
      }

      return {
        next() {
          if (over) return Promise.resolve({ done: true, value: undefined });
          return new Promise((resolve) => {
            waiting = resolve;
            if (toldVersion === undefined) lookUp([generationId]);
            else offer();
          });
        },
        // Not an async generator: its `return` would wait for a change that may never come.
        return() {
          leave();
          return Promise.resolve({ done: true, value: undefined });
        },
        [Symbol.asyncIterator]() {
          return this;
        },
      };
    },
    /** To be called when a generation may have changed, or words may have been missed. */
    lookUp,
    lookUpAll: (): void => lookUp(watching.keys()),
    /** How many watch. */
    get size(): number {
      return watching.size;
    },
    async close(): Promise<void> {
      clearInterval(timer);
      for (const watchers of [...watching.values()]) for (const { tell } of [...watchers]) tell(undefined);
      await looking;
    },
  };
}

export type Updates = ReturnType<typeof createUpdates>;

const versionOf = ({ generation, attempts }: Moment): string =>
  `${generation.status} ${generation.provider} ${attempts.map(({ outcome }) => outcome).join(' ')}`;
