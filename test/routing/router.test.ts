import { describe, expect, it } from 'vitest';
import { ConfigError, InvalidInputError } from '../../src/errors.ts';
import type { ImageSize } from '../../src/generation.ts';
import type { Provider } from '../../src/providers/provider.ts';
import { createRouter, isBetweenSeveral, type RouterOptions, type Routing } from '../../src/routing.ts';

const provider = (name: string, ...sizes: ImageSize[]): Provider => ({
  name,
  models: [`${name}-1`],
  sizes: ['1024x1024', ...sizes],
  generate: () => Promise.reject(new Error('It is not called.')),
  close: async () => {},
});
const PROVIDERS = new Map(
  [provider('a'), provider('b', '2048x2048'), provider('c', '2048x2048')].map((one) => [one.name, one]),
);

const routerOf = (routing: Routing | undefined, options: Partial<RouterOptions> = {}) =>
  createRouter({ providers: PROVIDERS, routing, isAdmitting: () => true, ...options });
const ordered = (...order: string[]): Routing => ({ strategy: 'ordered', order });
const weighted = (weights: Record<string, number>): Routing => ({ strategy: 'weighted', weights });
const plan = (
  router: ReturnType<typeof createRouter>,
  { name, size = '1024x1024' }: { name?: string; size?: ImageSize } = {},
) => router.plan({ provider: name, size }).map((one) => one.name);

/** Numbers from 0 to below 1 that are the same for the same seed (mulberry32). */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

describe('a plan', () => {
  it('is the first provider alone where no route is configured', () => {
    expect(plan(routerOf(undefined))).toEqual(['a']);
  });

  it('is the configured order, of those alone that are named', () => {
    expect(plan(routerOf(ordered('c', 'a')))).toEqual(['c', 'a']);
  });

  it('is the one provider that is asked for by name, on the route or not', () => {
    for (const name of ['a', 'b', 'c']) expect(plan(routerOf(ordered('c', 'a')), { name })).toEqual([name]);
  });

  it('leaves out who does not offer the size', () => {
    expect(plan(routerOf(ordered('a', 'c', 'b')), { size: '2048x2048' })).toEqual(['c', 'b']);
  });

  it('is refused for a provider that there is not, and a size that none offers', () => {
    const router = routerOf(ordered('a', 'b'));
    const issuesOf = (ask: () => unknown) => {
      try {
        return ask();
      } catch (error) {
        return (error as InvalidInputError).issues;
      }
    };
    expect(() => plan(router, { name: 'nobody' })).toThrow(InvalidInputError);
    expect(issuesOf(() => plan(router, { name: 'nobody' }))).toEqual([
      { path: ['input', 'provider'], message: 'is none of the configured providers: a, b, c.' },
    ]);
    expect(issuesOf(() => plan(router, { size: '3840x2160' }))).toEqual([
      { path: ['input', 'size'], message: '3840x2160 is not offered by a or b.' },
    ]);
    expect(issuesOf(() => plan(router, { name: 'a', size: '2048x2048' }))).toEqual([
      { path: ['input', 'size'], message: '2048x2048 is not offered by a.' },
    ]);
  });

  it('puts those last whose circuit is open, and keeps the order of the others', () => {
    const without = (...open: string[]) =>
      plan(routerOf(ordered('a', 'b', 'c'), { isAdmitting: (name) => !open.includes(name) }));
    expect(without('a')).toEqual(['b', 'c', 'a']);
    expect(without('a', 'b')).toEqual(['c', 'a', 'b']);
    expect(without('a', 'b', 'c')).toEqual(['a', 'b', 'c']);
  });
});

describe('a route between several', () => {
  it.each([
    ['none', undefined, false],
    ['one in order', ordered('a'), false],
    ['one by weight', weighted({ a: 1 }), false],
    ['two in order', ordered('a', 'b'), true],
    ['two by weight', weighted({ a: 1, b: 2 }), true],
    ['one that is malformed', { strategy: 'random' } as never, false],
  ])('is not %s, unless it has two', (_what, routing, expected) => {
    expect(isBetweenSeveral(routing)).toBe(expected);
  });
});

describe('a weighted plan', () => {
  it('has everyone once, however it is drawn', () => {
    const router = routerOf(weighted({ a: 5, b: 2, c: 1 }), { random: seeded(1) });
    for (let round = 0; round < 100; round++) expect(plan(router).toSorted()).toEqual(['a', 'b', 'c']);
  });

  it('begins with each as often as its weight says, and goes on by the weights of the others', () => {
    const router = routerOf(weighted({ a: 5, b: 2, c: 1 }), { random: seeded(20_300_501) });
    const rounds = 20_000;
    const drawn = Array.from({ length: rounds }, () => plan(router));
    const share = (matches: (names: string[]) => boolean, of: string[][]) =>
      of.filter(matches).length / of.length;
    expect(share(([first]) => first === 'a', drawn)).toBeCloseTo(5 / 8, 2);
    expect(share(([first]) => first === 'b', drawn)).toBeCloseTo(2 / 8, 2);
    const afterA = drawn.filter(([first]) => first === 'a');
    expect(share(([, second]) => second === 'b', afterA)).toBeCloseTo(2 / 3, 1);
  });

  it('is the same for the same numbers', () => {
    const draw = (numbers: number[]) =>
      plan(routerOf(weighted({ a: 5, b: 2, c: 1 }), { random: () => numbers.shift() ?? 0 }));
    expect(draw([0, 0])).toEqual(['a', 'b', 'c']);
    expect(draw([0.624, 0.67])).toEqual(['a', 'c', 'b']);
    expect(draw([0.626, 0])).toEqual(['b', 'a', 'c']);
    expect(draw([0.999_999, 0.999_999])).toEqual(['c', 'b', 'a']);
  });
});

describe('going on', () => {
  const generation = (at: string, ...route: string[]) => ({
    provider: at,
    route,
    size: '1024x1024' as const,
  });
  const goOn = (
    at: string,
    route: string[],
    options: Partial<RouterOptions> = {},
    size: ImageSize = '1024x1024',
  ) => {
    const onward = routerOf(undefined, options).after({ ...generation(at, ...route), size });
    return onward && { next: onward.provider.name, route: onward.route };
  };

  it('is to the next of the stored route, whatever is configured now', () => {
    expect(goOn('a', ['a', 'b', 'c'])).toEqual({ next: 'b', route: ['a', 'b', 'c'] });
    expect(goOn('b', ['a', 'b', 'c'])).toEqual({ next: 'c', route: ['a', 'b', 'c'] });
  });

  it('is possible at once where the next one would be asked now', () => {
    const now = (route: string[], ...open: string[]) =>
      routerOf(undefined, { isAdmitting: (name) => !open.includes(name) }).goesOnNow(
        generation('a', ...route),
      );
    expect(now(['a', 'b'])).toBe(true);
    expect(now(['a', 'b'], 'b')).toBe(false);
    expect(now(['a', 'b', 'c'], 'b')).toBe(true);
    expect(now(['a', 'nobody'])).toBe(false);
    expect(now(['a'])).toBe(false);
  });

  it('ends with the last one', () => {
    expect(goOn('c', ['a', 'b', 'c'])).toBeUndefined();
    expect(goOn('a', ['a'])).toBeUndefined();
    expect(goOn('a', ['b', 'c'])).toBeUndefined();
  });

  it('passes over who is not configured here any more, or does not offer the size', () => {
    expect(goOn('a', ['a', 'gone', 'c'])).toEqual({ next: 'c', route: ['a', 'c'] });
    expect(goOn('c', ['c', 'a', 'b'], {}, '2048x2048')).toEqual({ next: 'b', route: ['c', 'b'] });
    expect(goOn('a', ['a', 'gone'])).toBeUndefined();
  });

  it('asks those last whose circuit is open, and none a second time', () => {
    const options = { isAdmitting: (name: string) => name !== 'b' };
    expect(goOn('a', ['a', 'b', 'c'], options)).toEqual({ next: 'c', route: ['a', 'c', 'b'] });
    expect(goOn('c', ['a', 'c', 'b'], options)).toEqual({ next: 'b', route: ['a', 'c', 'b'] });
    expect(goOn('b', ['a', 'c', 'b'])).toBeUndefined();
  });
});

describe('a route that can not be', () => {
  it.each([
    [
      'names a provider that there is not',
      ordered('a', 'nobody', 'none'),
      'names nobody, none; the configured',
    ],
    ['names one twice', ordered('a', 'b', 'a'), 'names a twice'],
    ['names nobody', ordered(), 'names none'],
    ['weighs nothing', weighted({}), 'names none'],
    ['gives no weight', weighted({ a: 1, b: 0 }), 'gives b a weight that is not above 0'],
    ['gives a weight that is no number', weighted({ a: Number.NaN }), 'gives a a weight'],
    ['has no strategy', { order: ['a'] } as never, 'is neither'],
    ['has no order', { strategy: 'ordered', weights: { a: 1 } } as never, 'is neither'],
    ['gives a weight without end', weighted({ a: Number.POSITIVE_INFINITY }), 'gives a a weight'],
  ])('%s: refused at start', (_what, routing, message) => {
    expect(() => routerOf(routing)).toThrow(ConfigError);
    expect(() => routerOf(routing)).toThrow(message);
  });

  it('says how to have a provider that is not configured, where that is known', () => {
    const howToHave = { d: 'd needs D_API_KEY' };
    expect(() => routerOf(ordered('a', 'd'), { howToHave })).toThrow(
      'names d; the configured providers are a, b, c; d needs D_API_KEY.',
    );
  });
});
