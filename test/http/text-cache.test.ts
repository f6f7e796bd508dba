import { describe, expect, it } from 'vitest';
import { createTextCache, ENTRY_LENGTH, MAX_KEPT_LENGTH } from '../../src/http/text-cache.ts';

describe('a cache of texts', () => {
  it('keeps what fits, and forgets what was not used for longest', () => {
    const cache = createTextCache<number>({ maxLength: 6 + 3 * ENTRY_LENGTH });
    cache.set('aa', 1);
    cache.set('bb', 2);
    cache.set('cc', 3);
    expect(cache.get('aa')).toBe(1);
    cache.set('dd', 4);
    expect(['aa', 'bb', 'cc', 'dd'].map(cache.get)).toEqual([1, undefined, 3, 4]);
  });

  it('forgets as many as it takes', () => {
    const cache = createTextCache<number>({ maxLength: 6 + 3 * ENTRY_LENGTH });
    const long = 'd'.repeat(6 + 2 * ENTRY_LENGTH);
    for (const [index, text] of ['aa', 'bb', 'cc', long].entries()) cache.set(text, index);
    expect(['aa', 'bb', 'cc', long].map(cache.get)).toEqual([undefined, undefined, undefined, 3]);
  });

  it('counts what is set again once, by its new length', () => {
    const cache = createTextCache<number>({ maxLength: 14 + 2 * ENTRY_LENGTH });
    cache.set('key', 1, 4);
    cache.set('key', 2, 2);
    cache.set('other', 3, 4);
    expect(['key', 'other'].map(cache.get)).toEqual([2, 3]);
  });

  it('keeps nothing that is very long, and not what was there before under its key', () => {
    const cache = createTextCache<number>({ maxLength: 10 * MAX_KEPT_LENGTH });
    cache.set('key', 1);
    cache.set('key', 2, MAX_KEPT_LENGTH + 1);
    expect(cache.get('key')).toBeUndefined();
    cache.set('key', 3, MAX_KEPT_LENGTH);
    expect(cache.get('key')).toBe(3);
  });

  it('keeps no more tiny ones than their bookkeeping lets it', () => {
    const cache = createTextCache<number>({ maxLength: 10 * ENTRY_LENGTH });
    const keys = Array.from({ length: 1_000 }, (_, index) => String(index));
    for (const key of keys) cache.set(key, 1, 0);
    expect(keys.filter((key) => cache.get(key) !== undefined)).toHaveLength(9);
  });
});
