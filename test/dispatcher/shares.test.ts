import { describe, expect, it } from 'vitest';
import { createShares, shareOut } from '../../src/dispatcher/shares.ts';
import { type Limits, roomBeside } from '../../src/ledger/limits.ts';
import type { Claimant, Grant } from '../../src/ledger/turns.ts';

const claimant = (clientId: string, changes: Partial<Claimant> = {}): Claimant => ({
  provider: 'one',
  clientId,
  running: 0,
  waits: true,
  lost: 0,
  ...changes,
});
const roomFor = (claimants: readonly Claimant[], limits?: Limits) =>
  roomBeside(
    claimants.map(({ provider, running, lost }) => ({ provider, count: running + lost })),
    limits,
  );
const share = (places: number, claimants: readonly Claimant[], limits?: Limits) =>
  shareOut(places, roomFor(claimants, limits), claimants);
/** As `a 2, b 1+1`: those that were not begun, and those that were lost. */
const told = (grants: readonly Grant[]) =>
  grants
    .map(({ clientId, fresh, lost }) => `${clientId} ${lost > 0 ? `${fresh}+${lost}` : fresh}`)
    .join(', ');

describe('shares', () => {
  it('leave every place to a client that is alone', () => {
    expect(told(share(7, [claimant('a', { running: 90 })]))).toBe('a 7');
  });

  it('go to who has the fewest, until all have as many', () => {
    expect(told(share(1, [claimant('flooder', { running: 63 }), claimant('b')]))).toBe('b 1');
    expect(told(share(6, [claimant('a', { running: 4 }), claimant('b', { running: 1 })]))).toBe('a 2, b 4');
    expect(told(share(5, [claimant('a'), claimant('b'), claimant('c')]))).toBe('a 2, b 2, c 1');
  });

  it('count those that run of somebody who waits for nothing, and give him none', () => {
    expect(told(share(3, [claimant('a', { running: 9 }), claimant('b', { waits: false })]))).toBe('a 3');
    expect(share(3, [claimant('a', { waits: false })])).toEqual([]);
  });

  it('count each provider by itself: who has much at one is not kept from another', () => {
    const claimants = [
      claimant('a', { running: 50 }),
      claimant('a', { provider: 'two' }),
      claimant('b', { running: 2, provider: 'two' }),
    ];
    expect(share(1, claimants)).toEqual([{ provider: 'two', clientId: 'a', fresh: 1, lost: 0 }]);
  });

  it('give what was lost first, and only as often as it was lost', () => {
    expect(told(share(3, [claimant('a', { lost: 2 })]))).toBe('a 1+2');
    expect(told(share(3, [claimant('a', { lost: 2, waits: false })]))).toBe('a 0+2');
  });

  it('stay within the limits, in which what was lost has its room already', () => {
    const limits = { all: 5, byProvider: new Map([['one', 3]]) };
    const claimants = [
      claimant('a', { running: 1, lost: 1 }),
      claimant('b', { provider: 'two', running: 1 }),
      claimant('c', { provider: 'two' }),
    ];
    // Three are taken of five, and two of the three at "one".
    expect(told(share(10, claimants, limits))).toBe('a 0+1, b 1, c 1');
    expect(told(share(10, claimants, { all: 3, byProvider: new Map() }))).toBe('a 0+1');
    expect(told(share(10, claimants, { all: undefined, byProvider: limits.byProvider }))).toMatch(
      /^a 1\+1, /,
    );
  });

  it('are turns where there are fewer places than clients', () => {
    const { shareOut } = createShares();
    const claimants = ['a', 'b', 'c'].map((clientId) => claimant(clientId));
    const served = Array.from({ length: 7 }, () => told(shareOut(1, roomFor(claimants), claimants)));
    expect(served).toEqual(['a 1', 'b 1', 'c 1', 'a 1', 'b 1', 'c 1', 'a 1']);
    const newcomer = [...claimants, claimant('new')];
    expect(told(shareOut(1, roomFor(newcomer), newcomer))).toBe('new 1');
  });
});

/** The same numbers for the same seed, from 0 to below 1. */
function randomNumbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

function randomCase(seed: number) {
  const random = randomNumbers(seed);
  const upTo = (most: number): number => Math.floor(random() * (most + 1));
  const claimants = ['one', 'two'].flatMap((provider) =>
    Array.from({ length: upTo(5) }, (_, index) =>
      claimant(`client-${index}`, {
        provider,
        running: upTo(12),
        waits: random() < 0.7,
        lost: random() < 0.2 ? upTo(4) : 0,
      }),
    ),
  );
  const limits: Limits | undefined =
    random() < 0.4
      ? undefined
      : {
          all: random() < 0.5 ? undefined : upTo(60),
          byProvider: new Map(random() < 0.5 ? [] : [['one', upTo(30)]]),
        };
  return { places: upTo(40), claimants, limits };
}

describe('shares, whatever the case', () => {
  const cases = Array.from({ length: 500 }, (_, seed) => randomCase(seed));
  const outcomeOf = (claimants: readonly Claimant[], grants: readonly Grant[]) =>
    claimants.map((claimant) => {
      const grant = grants.find(
        ({ provider, clientId }) => provider === claimant.provider && clientId === claimant.clientId,
      );
      const { fresh = 0, lost = 0 } = grant ?? {};
      return {
        ...claimant,
        fresh,
        has: claimant.running + fresh + lost,
        lost: claimant.lost - lost,
        granted: fresh + lost,
      };
    });

  it('are never more than there are places, nor than the limits leave', () => {
    for (const { places, claimants, limits } of cases) {
      const outcome = outcomeOf(claimants, share(places, claimants, limits));
      const granted = outcome.reduce((sum, { granted }) => sum + granted, 0);
      expect(granted).toBeLessThanOrEqual(places);
      expect(outcome.every(({ lost }) => lost >= 0)).toBe(true);
      const openAt = (provider?: string) =>
        outcome
          .filter((one) => provider === undefined || one.provider === provider)
          .reduce((sum, { has, lost }) => sum + has + lost, 0);
      const freshAt = (provider?: string) =>
        outcome
          .filter((one) => provider === undefined || one.provider === provider)
          .reduce((sum, { fresh }) => sum + fresh, 0);
      if (freshAt() > 0) expect(openAt()).toBeLessThanOrEqual(limits?.all ?? Number.POSITIVE_INFINITY);
      if (freshAt('one') > 0) {
        expect(openAt('one')).toBeLessThanOrEqual(limits?.byProvider.get('one') ?? Number.POSITIVE_INFINITY);
      }
    }
  });

  it('leave no place free that somebody can use, and give nobody more while one who waits has fewer', () => {
    for (const { places, claimants, limits } of cases) {
      const outcome = outcomeOf(claimants, share(places, claimants, limits));
      const room = roomFor(
        outcome.map((one) => ({ ...one, running: one.has })),
        limits,
      );
      const granted = outcome.reduce((sum, { granted }) => sum + granted, 0);
      const poor = outcome.filter(({ lost, waits, provider }) => lost > 0 || (waits && room.has(provider)));
      if (granted < places) expect(poor).toEqual([]);
      for (const { has } of poor) {
        for (const rich of outcome.filter(({ granted }) => granted > 0))
          expect(rich.has - 1).toBeLessThanOrEqual(has);
      }
    }
  });

  it('are the same for the same case', () => {
    for (const { places, claimants, limits } of cases) {
      expect(share(places, claimants, limits)).toEqual(share(places, claimants, limits));
    }
  });

  it('come to everybody who waits within as many turns as there are claimants', () => {
    for (const { claimants } of cases) {
      const { shareOut } = createShares();
      // All are equal, and what is begun ends before the next look.
      const waiting = claimants.map((one) => ({ ...one, running: 0, waits: true, lost: 0 }));
      const served = waiting.flatMap(() => shareOut(1, roomFor(waiting), waiting));
      expect(new Set(served.map(({ provider, clientId }) => provider + clientId)).size).toBe(waiting.length);
    }
  });
});
