import { describe, expect, it } from 'vitest';
import { parseRetryAfter } from '../../src/providers/openai-wire/retry-after.ts';

const now = () => Date.UTC(2025, 0, 1, 12, 0, 0);

describe('Retry-After', () => {
  it.each([
    ['0', 0],
    ['7', 7_000],
    [' 7 ', 7_000],
    ['1.5', 1_500],
    ['Wed, 01 Jan 2025 12:00:30 GMT', 30_000],
    ['Wednesday, 01-Jan-25 12:00:30 GMT', 30_000],
    ['Wed Jan  1 12:00:30 2025 GMT', 30_000],
    ['Wed, 01 Jan 2025 11:00:00 GMT', 0],
    ['', undefined],
    ['-5', undefined],
    ['soon', undefined],
    ['1e9', undefined],
    ['9'.repeat(30), undefined],
    [undefined, undefined],
  ])('%j is %j ms', (header, delayMs) => {
    expect(parseRetryAfter(header, { now })).toBe(delayMs);
  });

  it('counts the first of two', () => {
    expect(parseRetryAfter(['3', '9'], { now })).toBe(3_000);
  });
});
