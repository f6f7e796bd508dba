import { type Limits, roomBeside } from '../../src/ledger/limits.ts';
import type { Queue } from '../../src/ledger/queue.ts';
import type { Job } from '../../src/ledger/run.ts';
import type { Runs } from '../../src/ledger/runs.ts';
import type { Claimant, Grant, Turns } from '../../src/ledger/turns.ts';
import { makeGeneration, makeRun, PROVIDER } from '../../src/testing/made-up.ts';

/** What a pump asks of the ledger, in memory: a queue, turns and the start of runs. */
export interface MemoryQueue {
  readonly queue: Queue;
  readonly turns: Turns;
  readonly runs: Runs;
  /** How many jobs each fetch asked for, and how often it was asked who waits. */
  readonly fetches: number[];
  looks: number;
  /** Called before and during what the pump asks. */
  readonly hooks: { beforeFetch: () => void; duringFetch: () => void; beforeStart: () => void };
  add(...ids: string[]): void;
  addFor(clientId: string, count: number, changes?: { provider?: string; lost?: boolean }): void;
  /** The generation has ended, wherever it ran. */
  end(id: string): void;
  /** Ids of what still waits. */
  waiting(): string[];
}

interface Entry {
  job: Job;
  state: 'queued' | 'lost' | 'taken' | 'running';
}

export function createMemoryQueue({
  ended = [],
  limits,
}: {
  ended?: readonly string[];
  limits?: Limits;
} = {}): MemoryQueue {
  let entries: Entry[] = [];
  const waits = ({ state }: Entry): boolean => state === 'queued' || state === 'lost';
  const take = (found: Entry[]): Job[] =>
    found.map((entry) => {
      const isLost = entry.state === 'lost';
      entry.state = 'taken';
      if (isLost) entry.job = { ...entry.job, retryCount: entry.job.retryCount + 1 };
      return entry.job;
    });
  const entryOf = (job: Job): Entry | undefined => entries.find((entry) => entry.job === job);
  const memory: MemoryQueue = {
    fetches: [],
    looks: 0,
    hooks: { beforeFetch: () => {}, duringFetch: () => {}, beforeStart: () => {} },
    queue: {
      async fetch(provider: string, limit: number) {
        memory.fetches.push(limit);
        memory.hooks.beforeFetch();
        const found = take(
          entries.filter((entry) => waits(entry) && entry.job.provider === provider).slice(0, limit),
        );
        // What comes now is too late for this look.
        memory.hooks.duringFetch();
        return found;
      },
      async release(jobs: readonly Job[]) {
        for (const job of jobs) {
          const entry = entryOf(job);
          if (entry === undefined) continue;
          entry.state = 'queued';
          entry.job = { ...job, retryCount: job.retryCount + 1 };
        }
      },
    } as never,
    turns: {
      async claimants() {
        memory.looks += 1;
        const groups = Map.groupBy(entries, ({ job }) => `${job.provider}/${job.clientId}`);
        return [...groups.values()].map((group): Claimant => {
          const { provider = '', clientId = '' } = group[0]?.job ?? {};
          const count = (...states: Entry['state'][]) =>
            group.filter(({ state }) => states.includes(state)).length;
          return {
            provider,
            clientId,
            running: count('running'),
            waits: count('queued') > 0,
            lost: count('lost'),
          };
        });
      },
      async take(grants: readonly Grant[]) {
        return grants.flatMap(({ provider, clientId, fresh, lost }) => {
          const own = entries.filter(({ job }) => job.provider === provider && job.clientId === clientId);
          return take([
            ...own.filter(({ state }) => state === 'queued').slice(0, fresh),
            ...own.filter(({ state }) => state === 'lost').slice(0, lost),
          ]);
        });
      },
    },
    runs: {
      async start(jobs: readonly Job[]) {
        memory.hooks.beforeStart();
        const running = entries
          .filter(({ state }) => state === 'running' || state === 'lost')
          .map(({ job }) => ({ provider: job.provider, count: 1 }));
        const room = roomBeside(running, limits);
        const refused = jobs.filter((job) => {
          if (job.retryCount > 0 || room.has(job.provider)) {
            room.take(job.provider);
            return false;
          }
          return true;
        });
        const begun = jobs.filter((job) => !refused.includes(job) && !ended.includes(job.id));
        entries = entries.filter(({ job }) => !ended.includes(job.id));
        for (const job of begun) {
          const entry = entryOf(job);
          if (entry !== undefined) entry.state = 'running';
        }
        const runs = begun.map((job) =>
          makeRun({
            job,
            generation: makeGeneration({ id: job.id, clientId: job.clientId, status: 'RUNNING' }),
          }),
        );
        return { runs, refused };
      },
    } as never,
    add(...ids) {
      entries.push(...ids.map((id): Entry => ({ state: 'queued', job: jobOf(id, 'client') })));
    },
    addFor(clientId, count, { provider = PROVIDER, lost = false } = {}) {
      const first = entries.filter(({ job }) => job.clientId === clientId).length;
      for (let index = 0; index < count; index++) {
        const job = { ...jobOf(`${clientId}-${first + index + 1}`, clientId), provider };
        entries.push({ state: lost ? 'lost' : 'queued', job });
      }
    },
    end(id) {
      entries = entries.filter(({ job }) => job.id !== id);
    },
    waiting: () => entries.filter(waits).map(({ job }) => job.id),
  };
  return memory;
}

const jobOf = (id: string, clientId: string): Job => ({ id, retryCount: 0, provider: PROVIDER, clientId });
