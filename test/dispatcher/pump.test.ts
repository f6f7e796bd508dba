import { afterEach, describe, expect, it } from 'vitest';
import { createPump, type Pump } from '../../src/dispatcher/pump.ts';
import type { Limits } from '../../src/ledger/limits.ts';
import { PROVIDER } from '../../src/testing/made-up.ts';
import { createManualClock } from '../support/manual-clock.ts';
import { createMemoryQueue, type MemoryQueue } from '../support/memory-queue.ts';

interface Bench extends MemoryQueue {
  readonly pump: Pump;
  readonly clock: ReturnType<typeof createManualClock>;
  readonly errors: unknown[];
  /** Ids of the jobs at work, how to end them, and what tells that they were canceled. */
  readonly working: Map<string, { end: () => void; fail: (error: unknown) => void; canceled: AbortSignal }>;
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
  limits,
  hooks = {},
  memory = createMemoryQueue({ ended, ...(limits === undefined ? {} : { limits }) }),
}: {
  concurrency?: number;
  /** Jobs whose generation has ended meanwhile. */
  ended?: readonly string[];
  limits?: Limits;
  hooks?: Partial<MemoryQueue['hooks']>;
  memory?: MemoryQueue;
} = {}): Bench {
  const clock = createManualClock();
  const errors: unknown[] = [];
  const working: Bench['working'] = new Map();
  Object.assign(memory.hooks, hooks);
  const pump = createPump({
    ...memory,
    providers: [PROVIDER],
    limits,
    concurrency,
    clock,
    execute: ({ job }, canceled) =>
      new Promise<void>((resolve, reject) => {
        working.set(job.id, { end: resolve, fail: reject, canceled });
      }).finally(() => {
        working.delete(job.id);
        memory.end(job.id);
      }),
    onError: (error) => void errors.push(error),
  });
  const bench: Bench = { ...memory, pump, clock, errors, working, settle: () => clock.advance(0) };
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
    pump.start();
    await settle();
    add('a', 'b', 'c', 'd');
    pump.wake();
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
    const { pump, add, working, settle } = createBench({ hooks: { duringFetch: () => onFetch() } });
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
    const { pump, add, working, settle, clock, errors } = createBench({
      hooks: {
        beforeFetch() {
          if (failing) throw away;
        },
      },
    });
    pump.start();
    await settle();
    add('a');
    pump.wake();
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
    const { pump, add, working, errors, settle, clock } = createBench({ hooks: { beforeStart } });
    add('a');
    pump.start();
    await settle();
    expect(errors).toHaveLength(1);
    isAway = false;
    await clock.advance(1_000);
    expect([...working.keys()]).toEqual(['a']);
    expect(pump.jobs).toMatchObject([{ id: 'a', retryCount: 1 }]);
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

describe('pump: canceling', () => {
  it('tells the run, and no other one', async () => {
    const { pump, add, working, settle } = createBench({ concurrency: 2 });
    add('a', 'b');
    pump.start();
    await settle();
    expect(pump.runningIds()).toEqual(['a', 'b']);
    pump.cancel('a');
    pump.cancel('unknown');
    expect([working.get('a')?.canceled.aborted, working.get('b')?.canceled.aborted]).toEqual([true, false]);
    working.get('a')?.end();
    await settle();
    expect(pump.isRunning('a')).toBe(false);
    expect(pump.runningIds()).toEqual(['b']);
  });

  it('reaches also a job that is fetched and being begun', async () => {
    const beforeStart = () => {
      expect(bench.pump.isRunning('a')).toBe(true);
      bench.pump.cancel('a');
    };
    const bench = createBench({ hooks: { beforeStart } });
    bench.add('a');
    bench.pump.start();
    await bench.settle();
    expect(bench.working.get('a')?.canceled.aborted).toBe(true);
  });

  it('forgets what could not be begun', async () => {
    const { pump, add, settle } = createBench({ ended: ['a'] });
    add('a');
    pump.start();
    await settle();
    expect([pump.isRunning('a'), pump.runningIds(), pump.jobs]).toEqual([false, [], []]);
  });
});

describe('pump: under a limit', () => {
  const limits = { all: 1, byProvider: new Map() };

  it('takes the next one when any replica tells of an end, and does not wake for it where nothing waits', async () => {
    const memory = createMemoryQueue({ limits });
    const [one, two] = [createBench({ limits, memory }), createBench({ limits, memory })];
    memory.add('a', 'b');
    for (const { pump, settle } of [one, two]) {
      pump.start();
      await settle();
    }
    expect([[...one.working.keys()], [...two.working.keys()]]).toEqual([['a'], []]);
    one.working.get('a')?.end();
    await one.pump.stop();
    two.pump.wakeIfLimited();
    await two.settle();
    expect([...two.working.keys()]).toEqual(['b']);
    two.pump.wakeIfLimited();
    await two.settle();
    const { looks } = memory;
    two.pump.wakeIfLimited();
    await two.settle();
    expect(memory.looks).toBe(looks);
  });

  it('looks every second when no word comes, and not more often', async () => {
    const memory = createMemoryQueue({ limits });
    const { pump, working, clock } = createBench({ limits, memory });
    memory.add('a', 'b');
    pump.start();
    await clock.advance(0);
    memory.end('a');
    await clock.advance(999);
    expect(memory.looks).toBe(1);
    await clock.advance(1);
    expect(memory.looks).toBe(2);
    expect([...working.keys()]).toEqual(['a', 'b']);
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
    const bench = createBench({ hooks: { beforeFetch: () => void bench.pump.stop() } });
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
