import type { Clock } from '../clock.ts';
import type { Job, Run } from '../ledger/run.ts';
import type { Runs, Started } from '../ledger/runs.ts';
import { createTaking, type TakingOptions } from './taking.ts';

export interface PumpOptions extends Omit<TakingOptions, 'begin'> {
  readonly runs: Runs;
  /** Generations at once on this replica. */
  readonly concurrency: number;
  /** Runs a generation to its end, or until the signal says that it was canceled; never rejects. */
  readonly execute: (run: Run, canceled: AbortSignal) => Promise<void>;
  readonly clock: Clock;
  readonly onError: (error: unknown) => void;
  /** How often the queue is looked at when no NOTIFY came, in milliseconds. @default 1000 */
  readonly pollMs?: number;
}

/** A job that this replica has, from its fetch on. */
interface Held {
  readonly job: Job;
  readonly canceling: AbortController;
  done: Promise<void>;
}

/** Jobs fetched by one statement; more wait for the next one, so that a full queue can't stall the loop. */
const MAX_FETCH = 100;

/** Takes jobs from the queue as places become free. Woken by NOTIFY; polling is the floor. */
export function createPump(options: PumpOptions) {
  const { queue, runs, concurrency, execute, clock, onError, pollMs = 1_000 } = options;
  const taking = createTaking({ ...options, begin });
  /** By generation. A job that was thought lost and was taken again here is held twice for a while. */
  const held = new Map<string, Set<Held>>();
  let heldCount = 0;
  const stopping = new AbortController();
  let wake: (() => void) | undefined;
  let woken = false;
  let loop: Promise<void> | undefined;

  function wakeUp(): void {
    woken = true;
    wake?.();
  }

  function hold(job: Job): Held {
    const entry: Held = { job, canceling: new AbortController(), done: Promise.resolve() };
    const entries = held.get(job.id) ?? new Set();
    held.set(job.id, entries.add(entry));
    heldCount += 1;
    return entry;
  }

  function letGo(entry: Held): void {
    const entries = held.get(entry.job.id);
    if (entries?.delete(entry) === true) heldCount -= 1;
    if (entries?.size === 0) held.delete(entry.job.id);
  }

  async function pump(): Promise<void> {
    while (!stopping.signal.aborted) {
      const places = Math.min(concurrency - heldCount, MAX_FETCH);
      woken = false;
      let isMore = false;
      if (places > 0) {
        try {
          isMore = await taking.take(places);
        } catch (error) {
          onError(error);
        }
      }
      // Else rest until something changes.
      if (!isMore) await rest();
    }
  }

  /** Runs what can be begun, and gives back what a limit left no room for: so many. */
  async function begin(jobs: readonly Job[]): Promise<number> {
    // Held before they are begun, so that what is said of them meanwhile is not missed.
    const entries = new Map(jobs.map((job) => [job, hold(job)]));
    try {
      const { runs, refused } = await start(jobs);
      for (const run of runs) {
        const entry = entries.get(run.job);
        if (entry === undefined) continue;
        entries.delete(run.job);
        entry.done = execute(run, entry.canceling.signal)
          .catch(onError)
          .finally(() => {
            letGo(entry);
            wakeUp();
          });
      }
      await queue.release(refused);
      return refused.length;
    } finally {
      for (const entry of entries.values()) letGo(entry);
    }
  }

  /** Jobs that can't be begun are given back at once, rather than when their heartbeat is found missing. */
  async function start(jobs: readonly Job[]): Promise<Started> {
    try {
      return await runs.start(jobs);
    } catch (error) {
      await queue.release(jobs).catch(onError);
      throw error;
    }
  }

  async function rest(): Promise<void> {
    if (woken || stopping.signal.aborted) return;
    const waking = new AbortController();
    wake = () => waking.abort();
    await clock.sleep(pollMs, AbortSignal.any([waking.signal, stopping.signal])).catch(() => undefined);
    wake = undefined;
  }

  const all = (): Held[] => [...held.values()].flatMap((entries) => [...entries]);

  return {
    start(): void {
      loop = pump().catch(onError);
    },
    /** There may be something in the queue. */
    wake: wakeUp,
    /** A generation ended, on whichever replica: there may be room under a limit. */
    wakeIfLimited(): void {
      if (taking.limited) wakeUp();
    },
    /** The jobs that this replica is working on. */
    get jobs(): readonly Job[] {
      return all().map(({ job }) => job);
    },
    /** Whether this replica is working on the generation. */
    isRunning: (generationId: string): boolean => held.has(generationId),
    /** The generations that this replica is working on. */
    runningIds: (): readonly string[] => [...held.keys()],
    /** To be called when the generation was canceled: if it runs here, its call and its waits end at once. */
    cancel(generationId: string): void {
      for (const { canceling } of held.get(generationId) ?? []) canceling.abort();
    },
    /** Takes no more jobs; resolves when the last fetch is over. */
    async stop(): Promise<void> {
      stopping.abort();
      await loop;
    },
    /** Resolves when every job that was taken has been run to its end or handed over. */
    async idle(): Promise<void> {
      await Promise.all(all().map(({ done }) => done));
    },
  };
}

export type Pump = ReturnType<typeof createPump>;
