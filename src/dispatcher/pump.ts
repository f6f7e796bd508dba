import type { Clock } from '../clock.ts';
import type { Queue } from '../ledger/queue.ts';
import type { Job, Run } from '../ledger/run.ts';
import type { Runs } from '../ledger/runs.ts';

export interface PumpOptions {
  readonly queue: Queue;
  readonly runs: Runs;
  /** Generations at once on this replica. */
  readonly concurrency: number;
  /** Runs a generation to its end; never rejects. */
  readonly execute: (run: Run) => Promise<void>;
  readonly clock: Clock;
  readonly onError: (error: unknown) => void;
  /** How often the queue is looked at when no NOTIFY came, in milliseconds. @default 1000 */
  readonly pollMs?: number;
}

/** Jobs fetched by one statement; more wait for the next one, so that a full queue can't stall the loop. */
const MAX_FETCH = 100;

/** Takes jobs from the queue as places become free. Woken by NOTIFY; polling is the floor. */
export function createPump(options: PumpOptions) {
  const { queue, runs, concurrency, execute, clock, onError, pollMs = 1_000 } = options;
  const active = new Map<Job, Promise<void>>();
  const running = new Set<string>();
  const stopping = new AbortController();
  let wake: (() => void) | undefined;
  let woken = false;
  let loop: Promise<void> | undefined;

  function wakeUp(): void {
    woken = true;
    wake?.();
  }

  async function pump(): Promise<void> {
    while (!stopping.signal.aborted) {
      const places = Math.min(concurrency - active.size, MAX_FETCH);
      woken = false;
      let taken = 0;
      if (places > 0) {
        try {
          taken = await take(places);
        } catch (error) {
          onError(error);
        }
      }
      // A full fetch means that more may be waiting; else rest until something changes.
      if (taken < places || places === 0) await rest();
    }
  }

  async function take(places: number): Promise<number> {
    const jobs = await queue.fetch(places);
    if (jobs.length === 0) return 0;
    for (const run of await begin(jobs)) {
      running.add(run.job.id);
      const done = execute(run)
        .catch(onError)
        .finally(() => {
          active.delete(run.job);
          running.delete(run.job.id);
          wakeUp();
        });
      active.set(run.job, done);
    }
    return jobs.length;
  }

  /** Jobs that can't be begun are given back at once, rather than when their heartbeat is found missing. */
  async function begin(jobs: readonly Job[]): Promise<Run[]> {
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

  return {
    start(): void {
      loop = pump().catch(onError);
    },
    /** There may be something in the queue. */
    wake: wakeUp,
    /** The jobs that this replica is working on. */
    get jobs(): readonly Job[] {
      return [...active.keys()];
    },
    /** Whether this replica is working on the generation. */
    isRunning: (generationId: string): boolean => running.has(generationId),
    /** Takes no more jobs; resolves when the last fetch is over. */
    async stop(): Promise<void> {
      stopping.abort();
      await loop;
    },
    /** Resolves when every job that was taken has been run to its end or handed over. */
    async idle(): Promise<void> {
      await Promise.all(active.values());
    },
  };
}

export type Pump = ReturnType<typeof createPump>;
