import { describe, expect, it } from 'vitest';
import { createTaking } from '../../src/dispatcher/taking.ts';
import type { Limits } from '../../src/ledger/limits.ts';
import type { Job } from '../../src/ledger/run.ts';
import { PROVIDER } from '../../src/testing/made-up.ts';
import { createMemoryQueue } from '../support/memory-queue.ts';

const OTHER = 'other';

/** Taking from a queue in memory. What is begun runs until the test ends it. */
function createBench({
  providers = [PROVIDER],
  limits,
}: {
  providers?: readonly string[];
  limits?: Limits;
} = {}) {
  const memory = createMemoryQueue(limits === undefined ? {} : { limits });
  const begun: Job[] = [];
  const taking = createTaking({
    ...memory,
    providers,
    limits,
    async begin(jobs) {
      const { runs, refused } = await memory.runs.start(jobs);
      await memory.queue.release(refused);
      begun.push(...runs.map(({ job }) => job));
      return refused.length;
    },
  });
  /** How many of each client were begun since the last time. */
  const taken = (): Record<string, number> => {
    const counts: Record<string, number> = {};
    for (const { clientId } of begun.splice(0)) counts[clientId] = (counts[clientId] ?? 0) + 1;
    return counts;
  };
  return { ...memory, memory, taking, begun, taken };
}

const only = (provider: string, count: number): Limits => ({
  all: undefined,
  byProvider: new Map([[provider, count]]),
});

describe('taking, as long as all that waits has its place', () => {
  it('is one fetch a provider, and nobody is asked whose turn it is', async () => {
    const { taking, memory, addFor, taken, fetches } = createBench({ providers: [PROVIDER, OTHER] });
    await taking.take(1);
    const looksAtFirst = memory.looks;
    addFor('a', 2);
    addFor('b', 1, { provider: OTHER });
    expect(await taking.take(10)).toBe(false);
    expect(taken()).toEqual({ a: 2, b: 1 });
    expect(await taking.take(7)).toBe(false);
    expect(fetches).toEqual([10, 8, 7, 7]);
    expect(memory.looks).toBe(looksAtFirst);
  });

  it('takes nothing of a provider that this replica does not have', async () => {
    const { taking, addFor, taken } = createBench();
    addFor('a', 2, { provider: OTHER });
    expect(await taking.take(1)).toBe(false);
    expect(taken()).toEqual({});
  });
});

describe('taking, when more waits than there are places', () => {
  it('shares out what waited before it came', async () => {
    const { taking, addFor, taken } = createBench();
    addFor('flooder', 1_000);
    addFor('b', 2);
    expect(await taking.take(4)).toBe(true);
    expect(taken()).toEqual({ flooder: 2, b: 2 });
  });

  it('gives the next place to who has the fewest, however many of another one came before', async () => {
    const { taking, addFor, end, taken } = createBench();
    addFor('flooder', 1_000);
    expect(await taking.take(4)).toBe(true);
    expect(taken()).toEqual({ flooder: 4 });
    addFor('b', 2);
    end('flooder-1');
    await taking.take(1);
    expect(taken()).toEqual({ b: 1 });
    end('flooder-2');
    await taking.take(1);
    expect(taken()).toEqual({ b: 1 });
    // Two each; the next one's turn is the flooder's again.
    end('b-1');
    await taking.take(1);
    expect(taken()).toEqual({ flooder: 1 });
  });

  it('leaves to the others what one has no use for', async () => {
    const { taking, addFor, taken } = createBench();
    addFor('flooder', 50);
    await taking.take(1);
    taken();
    addFor('b', 1);
    addFor('c', 2);
    expect(await taking.take(20)).toBe(true);
    expect(taken()).toEqual({ flooder: 17, b: 1, c: 2 });
  });

  it('is as cheap as before once nobody is left waiting', async () => {
    const { taking, memory, addFor, end, taken } = createBench();
    addFor('a', 3);
    await taking.take(2);
    end('a-1');
    expect(await taking.take(5)).toBe(false);
    expect(taken()).toEqual({ a: 3 });
    expect(memory.looks).toBe(2);
    addFor('a', 1);
    await taking.take(5);
    expect(taken()).toEqual({ a: 1 });
    expect(memory.looks).toBe(2);
  });

  it('shares out what several providers have, each by itself', async () => {
    const { taking, addFor, taken, begun } = createBench({ providers: [PROVIDER, OTHER] });
    addFor('flooder', 20);
    await taking.take(2);
    taken();
    addFor('flooder', 20, { provider: OTHER });
    addFor('b', 20, { provider: OTHER });
    await taking.take(4);
    expect(begun.filter(({ provider }) => provider === OTHER)).toHaveLength(4);
    expect(taken()).toEqual({ flooder: 2, b: 2 });
  });
});

describe('taking, under a limit', () => {
  it('takes what there is room for, and tells that a limit keeps the rest', async () => {
    const { taking, addFor, end, taken } = createBench({ limits: only(PROVIDER, 3) });
    addFor('a', 5);
    expect(await taking.take(10)).toBe(false);
    expect(taken()).toEqual({ a: 3 });
    expect(taking.limited).toBe(true);
    await taking.take(7);
    expect(taken()).toEqual({});
    end('a-1');
    end('a-2');
    await taking.take(9);
    expect(taken()).toEqual({ a: 2 });
    await taking.take(7);
    expect(taking.limited).toBe(false);
  });

  it('is fair about what room there is', async () => {
    const { taking, addFor, end, taken } = createBench({ limits: only(PROVIDER, 3) });
    addFor('flooder', 60);
    await taking.take(10);
    addFor('b', 1);
    end('flooder-1');
    taken();
    await taking.take(8);
    expect(taken()).toEqual({ b: 1 });
  });

  it('holds up no other provider', async () => {
    const { taking, addFor, taken } = createBench({
      providers: [PROVIDER, OTHER],
      limits: only(PROVIDER, 1),
    });
    addFor('a', 5);
    addFor('b', 5, { provider: OTHER });
    await taking.take(4);
    expect(taken()).toEqual({ a: 1, b: 3 });
  });

  it('counts for the limit of all also what runs at providers that this replica does not have', async () => {
    const elsewhere = createBench({ providers: [OTHER] });
    elsewhere.addFor('a', 2, { provider: OTHER });
    await elsewhere.taking.take(2);
    const taking = createTaking({
      ...elsewhere.memory,
      providers: [PROVIDER],
      limits: { all: 3, byProvider: new Map() },
      begin: async (jobs) => (await elsewhere.memory.runs.start(jobs)).refused.length,
    });
    elsewhere.addFor('b', 5);
    await taking.take(10);
    expect(elsewhere.waiting()).toHaveLength(4);
  });

  it('takes what another replica lost, though there is no room: it has it already', async () => {
    const { taking, addFor, taken, begun } = createBench({ limits: only(PROVIDER, 2) });
    addFor('a', 2, { lost: true });
    addFor('b', 2);
    await taking.take(10);
    expect(begun.map(({ retryCount }) => retryCount)).toEqual([1, 1]);
    expect(taken()).toEqual({ a: 2 });
  });

  it('does not ask again at once when another replica was quicker', async () => {
    const { taking, memory, addFor, end } = createBench({ limits: only(PROVIDER, 1) });
    addFor('elsewhere', 1);
    await taking.take(1);
    addFor('a', 1);
    // It looks as if there were room, until the start of the run counts.
    const told = memory.turns.claimants;
    Object.assign(memory.turns, {
      claimants: async () => (await told()).filter(({ clientId }) => clientId === 'a'),
    });
    expect(await taking.take(1)).toBe(false);
    expect(taking.limited).toBe(true);
    expect(memory.waiting()).toHaveLength(1);
    end('elsewhere-1');
    expect(await taking.take(1)).toBe(true);
    expect(memory.waiting()).toEqual([]);
  });
});
