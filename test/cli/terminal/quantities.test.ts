import { describe, expect, it } from 'vitest';
import { bytes, duration, moment, timeAgo } from '../../../src/cli/terminal/quantities.ts';

const NOW = new Date('2026-03-10T12:00:00.000Z');

describe('quantities for people', () => {
  it.each([
    [0, '0 B'],
    [999, '999 B'],
    [1_000, '1.0 kB'],
    [56_789, '57 kB'],
    [999_700, '1.0 MB'],
    [1_949_000, '1.9 MB'],
    [20_400_000, '20 MB'],
  ])('%i bytes are %s', (byteSize, text) => {
    expect(bytes(byteSize)).toBe(text);
  });

  it.each([
    [840, '0.8 s'],
    [9_940, '9.9 s'],
    [9_960, '10 s'],
    [119_400, '119 s'],
    [250_000, '4 min 10 s'],
  ])('%i ms are %s', (ms, text) => {
    expect(duration(ms)).toBe(text);
  });

  it.each([
    [0, 'just now'],
    [42_000, '42 s ago'],
    [5 * 60_000, '5 min ago'],
    [26 * 3_600_000, '26 h ago'],
    [3 * 86_400_000, '3 d ago'],
    [40 * 86_400_000, '2026-01-29'],
  ])('what was %i ms ago was %s', (ms, text) => {
    expect(timeAgo(new Date(NOW.getTime() - ms), NOW)).toBe(text);
  });

  it.each([
    ['30m', '2026-03-10T11:30:00.000Z'],
    ['2h', '2026-03-10T10:00:00.000Z'],
    ['3d', '2026-03-07T12:00:00.000Z'],
    ['1W', '2026-03-03T12:00:00.000Z'],
    ['2026-03-01', '2026-03-01T00:00:00.000Z'],
    ['2026-03-01T08:00:00+02:00', '2026-03-01T06:00:00.000Z'],
  ])('`--since %s` is %s', (text, moment_) => {
    expect(moment(text, NOW)?.toISOString()).toBe(moment_);
  });

  it.each(['yesterday', '2', '2 years', '2026-13-40', '-2h', ''])('`--since %s` is no time', (text) => {
    expect(moment(text, NOW)).toBeUndefined();
  });
});
