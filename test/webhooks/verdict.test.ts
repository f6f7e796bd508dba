import { describe, expect, it } from 'vitest';
import { judge, MAX_TRIES } from '../../src/webhooks/verdict.ts';

const HOST = 'hooks.example.com';
const answered = (httpStatus: number, retryAfterSeconds?: number) => ({
  kind: 'answered' as const,
  httpStatus,
  retryAfterSeconds,
});
const verdictOn = (outcome: Parameters<typeof judge>[0], tryNumber = 1, random = 0) =>
  judge(outcome, { host: HOST, tryNumber }, { random: () => random });

describe('the verdict on a try', () => {
  it.each([200, 201, 202, 204, 299])('is that %i delivered it', (httpStatus) => {
    expect(verdictOn(answered(httpStatus), 3)).toEqual({
      action: 'WEBHOOK_DELIVERED',
      message: `hooks.example.com answered HTTP ${httpStatus}, try 3.`,
      retryAfterSeconds: undefined,
    });
  });

  it.each([301, 307, 400, 401, 404, 429, 500, 503])('is that %i failed, and is tried again', (httpStatus) => {
    expect(verdictOn(answered(httpStatus), 2)).toEqual({
      action: 'WEBHOOK_FAILED',
      message: `hooks.example.com answered HTTP ${httpStatus}, try 2; tried again in about 15 s.`,
      retryAfterSeconds: 15,
    });
  });

  it('is that no answer failed, and is tried again', () => {
    const outcome = { kind: 'unanswered' as const, reason: 'could not be reached (ECONNREFUSED)' };
    expect(verdictOn(outcome)).toMatchObject({
      message: 'hooks.example.com could not be reached (ECONNREFUSED), try 1; tried again in about 5 s.',
      retryAfterSeconds: 5,
    });
  });

  it('is that 410 ends it at once: the receiver is gone for good', () => {
    expect(verdictOn(answered(410))).toEqual({
      action: 'WEBHOOK_FAILED',
      message: 'hooks.example.com answered HTTP 410; given up after 1 try.',
      retryAfterSeconds: undefined,
    });
  });

  it('ends it after the last try', () => {
    expect(verdictOn(answered(503), MAX_TRIES)).toEqual({
      action: 'WEBHOOK_FAILED',
      message: 'hooks.example.com answered HTTP 503; given up after 15 tries.',
      retryAfterSeconds: undefined,
    });
  });

  it('honours a Retry-After that is longer, up to five hours, and none that is shorter', () => {
    expect(verdictOn(answered(503, 3_600)).retryAfterSeconds).toBe(3_600);
    expect(verdictOn(answered(503, 999_999_999)).retryAfterSeconds).toBe(5 * 3_600);
    expect(verdictOn(answered(503, 0)).retryAfterSeconds).toBe(5);
  });
});

describe('the waits between tries', () => {
  const waits = (random: number) =>
    Array.from(
      { length: MAX_TRIES - 1 },
      (_, index) => verdictOn(answered(503), index + 1, random).retryAfterSeconds,
    );

  it('are three times as long each time, up to five hours', () => {
    expect(waits(0)).toEqual([
      ...[5, 15, 45, 135, 405, 1_215, 3_645, 10_935],
      ...Array.from({ length: 6 }, () => 18_000),
    ]);
  });

  it('are up to a fifth longer at random', () => {
    expect(waits(1)).toEqual(waits(0).map((seconds = 0) => seconds * 1.2));
  });

  it('come to about a day and a half', () => {
    const hours = waits(0.5).reduce<number>((sum, seconds = 0) => sum + seconds, 0) / 3_600;
    expect(hours).toBeGreaterThan(34);
    expect(hours).toBeLessThan(40);
  });

  it.each([
    [1, '5 s'],
    [3, '45 s'],
    [4, '2 min'],
    [6, '20 min'],
    [7, '61 min'],
    [8, '3 h'],
    [14, '5 h'],
  ])('are told in words: after try %i, %s', (tryNumber, words) => {
    expect(verdictOn(answered(503), tryNumber).message).toContain(`in about ${words}.`);
  });
});
