import { describe, expect, it } from 'vitest';
import {
  DeadlineExceededError,
  FencedError,
  type GatewayError,
  InvalidPictureError,
  ProviderFailure,
} from '../../src/errors.ts';
import type { AttemptEnding, AttemptLog } from '../../src/ledger/attempts.ts';
import { record } from '../../src/middleware/record.ts';
import { describeAttemptMiddleware } from '../../src/testing/describe-middleware.ts';
import { makeAttemptRequest, makeDelivered, NOON } from '../../src/testing/made-up.ts';

const silent: AttemptLog = { begin: async () => {}, fail: async () => {} };

describeAttemptMiddleware('record', () => record({ log: silent, now: () => NOON }));

describe('record', () => {
  /** A log that tells in which order things happened. */
  function createDiary(overrides: Partial<AttemptLog> = {}) {
    const diary: string[] = [];
    const endings: AttemptEnding[] = [];
    const log: AttemptLog = {
      async begin(_run, attempt) {
        await new Promise((resolve) => setImmediate(resolve));
        diary.push(`begun ${attempt.number}`);
      },
      async fail(_run, attempt, ending) {
        await new Promise((resolve) => setImmediate(resolve));
        diary.push(`failed ${attempt.number}`);
        endings.push(ending);
      },
      ...overrides,
    };
    return { diary, endings, middleware: record({ log, now: () => NOON }) };
  }

  it('has the attempt on record before anything is sent', async () => {
    const { diary, middleware } = createDiary();
    await middleware(makeAttemptRequest({ attemptNumber: 2 }), async ({ attempt }) => {
      diary.push('sent');
      expect(attempt).toMatchObject({ number: 2, outcome: 'PENDING', provider: 'made-up', startedAt: NOON });
      return makeDelivered(attempt);
    });
    // That it succeeded is written only together with the image.
    expect(diary).toEqual(['begun 2', 'sent']);
  });

  it('gives every attempt an id and a request id of its own', async () => {
    const { middleware } = createDiary();
    const seen = new Set<string | undefined>();
    for (let times = 0; times < 3; times++) {
      await middleware(makeAttemptRequest(), async ({ attempt }) => {
        seen.add(attempt?.id).add(attempt?.requestId);
        return makeDelivered(attempt);
      });
    }
    expect(seen.size).toBe(6);
    expect(seen).not.toContain(undefined);
  });

  it.each<[string, GatewayError | TypeError, AttemptEnding]>([
    [
      'what was not accepted',
      new ProviderFailure('busy', { outcome: 'NOT_ACCEPTED', httpStatus: 429, providerCode: 'rate_limit' }),
      { outcome: 'NOT_ACCEPTED', httpStatus: 429, errorCode: 'rate_limit', rejection: undefined },
    ],
    [
      'a rejection and whose mistake it was',
      new ProviderFailure('no', { outcome: 'REJECTED', httpStatus: 401, rejection: 'OPERATOR' }),
      { outcome: 'REJECTED', httpStatus: 401, errorCode: undefined, rejection: 'OPERATOR' },
    ],
    [
      'a lost answer',
      new ProviderFailure('reset', { outcome: 'UNKNOWN', providerCode: 'UND_ERR_SOCKET' }),
      { outcome: 'UNKNOWN', httpStatus: undefined, errorCode: 'UND_ERR_SOCKET', rejection: undefined },
    ],
    [
      'a whole answer without a picture',
      new InvalidPictureError('not a PNG', { httpStatus: 200 }),
      { outcome: 'UNKNOWN', httpStatus: 200, errorCode: 'INVALID_IMAGE', rejection: undefined },
    ],
    [
      'a deadline, as possibly billed',
      new DeadlineExceededError('too late'),
      { outcome: 'UNKNOWN', httpStatus: undefined, errorCode: 'DEADLINE_EXCEEDED', rejection: undefined },
    ],
    [
      'a bug of our own, as possibly billed',
      new TypeError('a bug'),
      { outcome: 'UNKNOWN', httpStatus: undefined, errorCode: 'INTERNAL', rejection: undefined },
    ],
  ])('records %s before it is told', async (_name, failure, ending) => {
    const { diary, endings, middleware } = createDiary();
    await expect(middleware(makeAttemptRequest(), () => Promise.reject(failure))).rejects.toBe(failure);
    expect(diary).toEqual(['begun 1', 'failed 1']);
    expect(endings).toEqual([ending]);
  });

  it('sends nothing when the attempt can not be put on record', async () => {
    const fenced = new FencedError('another replica');
    const { middleware } = createDiary({ begin: () => Promise.reject(fenced) });
    let sent = false;
    const result = middleware(makeAttemptRequest(), async ({ attempt }) => {
      sent = true;
      return makeDelivered(attempt);
    });
    await expect(result).rejects.toBe(fenced);
    expect(sent).toBe(false);
  });

  it('does not leave an attempt pending whose beginning may have been written after all', async () => {
    const away = new Error('the database went away during the commit');
    const { diary, endings, middleware } = createDiary({ begin: () => Promise.reject(away) });
    let sent = false;
    const result = middleware(makeAttemptRequest(), async ({ attempt }) => {
      sent = true;
      return makeDelivered(attempt);
    });
    await expect(result).rejects.toBe(away);
    expect(sent).toBe(false);
    expect(diary).toEqual(['failed 1']);
    expect(endings).toMatchObject([{ outcome: 'NOT_ACCEPTED', errorCode: 'NOT_SENT' }]);
  });

  it('writes nothing for a generation that is run by another replica now', async () => {
    const { diary, middleware } = createDiary();
    const fenced = new FencedError('another replica');
    await expect(middleware(makeAttemptRequest(), () => Promise.reject(fenced))).rejects.toBe(fenced);
    expect(diary).toEqual(['begun 1']);
  });

  it('neither records nor sends anything once it is aborted', async () => {
    const { diary, middleware } = createDiary();
    const reason = new DeadlineExceededError('too late');
    const request = makeAttemptRequest({ signal: AbortSignal.abort(reason) });
    await expect(middleware(request, async () => makeDelivered())).rejects.toBe(reason);
    expect(diary).toEqual([]);
  });
});
