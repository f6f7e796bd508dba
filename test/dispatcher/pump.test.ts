import { afterEach, describe, expect, it } from 'vitest';
import { createPump, type Pump } from '../../src/dispatcher/pump.ts';
import type { Job, Run } from '../../src/ledger/run.ts';
import { makeGeneration, makeRun } from '../support/made-up.ts';
import { createManualClock } from '../support/manual-clock.ts';

interface Bench {
  readonly pump: Pump;
  readonly clock: ReturnType<typeof createManualClock>;
  readonly fetches: number[];
  readonly errors: unknown[];
  /** Ids of the jobs at work, and how to end them. */
  readonly working: Map<string, { end: () => void; fail: (error: unknown) => void }>;
  add(...ids: string[]): void;
  /** Lets everything that can happen now happen. */
  settle(): Promise<void>;
}

let pumps: Bench[] = [];
afterEach(async () => {
  for (const { pump, working } of pumps) {
    const stopped = pump.stop();
    for (const { end } of working.values()) end();
    await Promise.all([stopped, pump.idle()]);
  }
  pumps = [];
});

/** A pump on a queue in memory, with runs that end when the test says so. */
function createBench({
  concurrency = 2,
  ended = [],
  beforeFetch = () => {},
  duringFetch = () => {},
  beforeStart = () => {},
}: {
  concurrency?: number;
  /** Jobs whose generation has ended meanwhile. */
  ended?: readonly string[];
  beforeFetch?: () => void;
  duringFetch?: () => void;
  beforeStart?: () => void;
} = {}): Bench {
  const clock = createManualClock();
  const queued: Job[] = [];
  const fetches: number[] = [];
  const errors: unknown[] = [];
  const working: Bench['working'] = new Map();
  const pump = createPump({
    concurrency,
    clock,
    queue: {
      async fetch(limit: number) {
        fetches.push(limit);
        beforeFetch();
        const found = queued.splice(0, limit);
        // What comes now is too late for this look.
        duringFetch();
        return found;
      },
      async release(jobs: readonly Job[]) {
        queued.push(...jobs.map(({ id, retryCount }) => ({ id, retryCount: retryCount + 1 })));
      },
    } as never,
    runs: {
      async start(jobs: readonly Job[]) {
        beforeStart();
        return jobs
          .filter(({ id }) => !ended.includes(id))
          .map((job): Run => makeRun({ job, generation: makeGeneration({ id: job.id, status: 'RUNNING' }) }));
      },
    } as never,
    execute: ({ job }) =>
      new Promise<void>((resolve, reject) => {
        working.set(job.id, { end: resolve, fail: reject });
      }).finally(() => working.delete(job.id)),
    onError: (error) => void errors.push(error),
  });
  const bench: Bench = {
    pump,
    clock,
    fetches,
    errors,
    working,
    add: (...ids) => void queued.push(...ids.map((id) => ({ id, retryCount: 0 }))),
    settle: () => clock.advance(0),
  };
  pumps.push(bench);
  return bench;
}

describe('pump', () => {
  it('takes as many jobs as it has places, and the next one when a place is free', async () => {
    const { pump, add, working, settle } = createBench({ concurrency: 2 });
    add('a', 'b', 'c');
    pump.start();
    await settle();
    expect([...working.keys()]).toEqual(['a', 'b']);
    expect(pump.jobs.map(({ id }) => id)).toEqual(['a', 'b']);
    working.get('a')?.end();
    await settle();
    expect([...working.keys()]).toEqual(['b', 'c']);
  });

  it('asks for no more than it can place, and for nothing while it is full', async () => {
    const { pump, add, fetches, settle, clock } = createBench({ concurrency: 3 });
    add('a', 'b', 'c', 'd');
    pump.start();
    await settle();
    expect(fetches).toEqual([3]);
    await clock.advance(10_000);
    expect(fetches).toEqual([3]);
  });

  it('empties a long queue without waiting in between', async () => {
    const { pump, add, working, settle, clock } = createBench({ concurrency: 250 });
    add(...Array.from({ length: 240 }, (_, index) => `job-${index}`));
    pump.start();
    await settle();
    expect(working.size).toBe(240);
    expect(clock.elapsedMs).toBe(0);
  });

  it('looks at once when it is woken, also while it was looking', async () => {
    let onFetch = () => {};
    const { pump, add, working, settle } = createBench({ duringFetch: () => onFetch() });
    pump.start();
    await settle();
    add('a');
    pump.wake();
    await settle();
    expect([...working.keys()]).toEqual(['a']);
    onFetch = () => {
      onFetch = () => {};
      add('b');
      pump.wake();
    };
    pump.wake();
    await settle();
    expect([...working.keys()]).toEqual(['a', 'b']);
  });

  it('looks every second when no word comes', async () => {
    const { pump, add, working, clock } = createBench();
    pump.start();
    await clock.advance(0);
    add('a');
    await clock.advance(999);
    expect(working.size).toBe(0);
    await clock.advance(1);
    expect(working.size).toBe(1);
  });

  it('leaves out a job whose generation has ended meanwhile, and goes on', async () => {
    const { pump, add, working, settle } = createBench({ concurrency: 2, ended: ['a', 'b'] });
    add('a', 'b', 'c');
    pump.start();
    await settle();
    expect([...working.keys()]).toEqual(['c']);
  });
});

describe('pump: trouble', () => {
  it('tells of a database that is away, and looks again a second later', async () => {
    const away = new Error('the database is away');
    let failing = true;
    const { pump, add, working, clock, errors } = createBench({
      beforeFetch() {
        if (failing) throw away;
      },
    });
    add('a');
    pump.start();
    await clock.advance(2_000);
    expect(errors).toEqual([away, away, away]);
    failing = false;
    await clock.advance(1_000);
    expect(working.size).toBe(1);
  });

  it('gives back at once what it fetched and could not begin', async () => {
    let isAway = true;
    const beforeStart = () => {
      if (isAway) throw new Error('the database is away');
    };
    const { pump, add, working, errors, settle, clock } = createBench({ beforeStart });
    add('a');
    pump.start();
    await settle();
    expect(errors).toHaveLength(1);
    isAway = false;
    await clock.advance(1_000);
    expect([...working.keys()]).toEqual(['a']);
    expect(pump.jobs).toEqual([{ id: 'a', retryCount: 1 }]);
  });

  it('survives a run that rejects, and gives its place away', async () => {
    const { pump, add, working, settle, errors } = createBench({ concurrency: 1 });
    add('a', 'b');
    pump.start();
    await settle();
    const bug = new TypeError('a bug');
    working.get('a')?.fail(bug);
    await settle();
    expect(errors).toEqual([bug]);
    expect([...working.keys()]).toEqual(['b']);
  });
});

describe('pump: stopping', () => {
  it('takes no more, and is idle when the last job is over', async () => {
    const { pump, add, working, settle } = createBench({ concurrency: 1 });
    add('a', 'b');
    pump.start();
    await settle();
    await pump.stop();
    let idle = false;
    const over = pump.idle().then(() => {
      idle = true;
    });
    await settle();
    expect(idle).toBe(false);
    working.get('a')?.end();
    await over;
    await settle();
    expect(working.size).toBe(0);
    pump.wake();
    await settle();
    expect(working.size).toBe(0);
  });

  it('runs the jobs of a fetch that was under way: they are its own', async () => {
    const bench = createBench({ beforeFetch: () => void bench.pump.stop() });
    bench.add('a');
    bench.pump.start();
    await bench.settle();
    expect([...bench.working.keys()]).toEqual(['a']);
  });

  it('is idle at once where nothing was ever started', async () => {
    const { pump } = createBench();
    await pump.stop();
    await pump.idle();
    expect(pump.jobs).toEqual([]);
  });
});
