import { isConnectionError } from './database.ts';

export interface WriteBatchOptions<Item, Result> {
  /**
   * Writes all items and returns a result for each, in order. When it rejects, none that is written again may count
   * twice: all of it is one transaction, or it remembers what it has committed.
   */
  readonly write: (items: readonly Item[]) => Promise<readonly Result[]>;
  /** Order within a batch. Batches of several replicas that lock the same rows must agree on it, or they deadlock. */
  readonly compare?: (a: Item, b: Item) => number;
  /** @default 200 */
  readonly maxItems?: number;
}

/**
 * Group commit: writes that arrive together share statements and a commit, so that durability costs each a
 * fraction of an fsync. One batch is under way at a time; what arrives meanwhile makes the next one.
 *
 * When a batch fails its items are replayed one by one, so that a bad row fails alone; when the database is
 * away, all fail at once.
 */
export function createWriteBatch<Item, Result>(options: WriteBatchOptions<Item, Result>) {
  const { write, compare, maxItems = 200 } = options;
  interface Entry {
    readonly item: Item;
    readonly resolve: (result: Result) => void;
    readonly reject: (error: unknown) => void;
  }
  let waiting: Entry[] = [];
  let running: Promise<void> | undefined;

  async function drain(): Promise<void> {
    // One turn of the loop, so that requests read from several sockets in this turn travel together.
    await new Promise((resolve) => setImmediate(resolve));
    while (waiting.length > 0) {
      const entries = waiting.slice(0, maxItems);
      waiting = waiting.slice(maxItems);
      if (compare !== undefined) entries.sort((a, b) => compare(a.item, b.item));
      await flush(entries);
    }
    running = undefined;
  }

  async function flush(entries: readonly Entry[]): Promise<void> {
    try {
      const results = await write(entries.map((entry) => entry.item));
      entries.forEach((entry, index) => {
        entry.resolve(results[index] as Result);
      });
    } catch (error) {
      if (entries.length === 1 || isConnectionError(error)) {
        for (const entry of entries) entry.reject(error);
        return;
      }
      for (const entry of entries) await flush([entry]);
    }
  }

  return {
    /** Resolves once the item is committed. */
    add(item: Item): Promise<Result> {
      const written = new Promise<Result>((resolve, reject) => {
        waiting.push({ item, resolve, reject });
      });
      running ??= drain();
      return written;
    },
    /** Resolves when nothing is waiting or under way. */
    async settle(): Promise<void> {
      while (running !== undefined) await running;
    },
  };
}
