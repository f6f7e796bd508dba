import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  DeadlineExceededError,
  FencedError,
  InvalidPictureError,
  ProviderFailure,
} from '../../src/errors.ts';
import { deadline } from '../../src/middleware/deadline.ts';
import type { AttemptRequest, DeliveredPicture } from '../../src/middleware/middleware.ts';
import { describeAttemptMiddleware } from '../../src/testing/describe-middleware.ts';
import { makeAttemptRequest, makeDelivered, NOON } from '../../src/testing/made-up.ts';

describeAttemptMiddleware('deadline', () => deadline({ now: () => NOON }));

describe('deadline', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date'], now: NOON });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  const middleware = deadline({ now: () => new Date() });
  const inAMinute = { deadlineAt: new Date(NOON.getTime() + 60_000) };

  /** A call that never ends by itself, and fails with `failure` once it is aborted. */
  const hanging =
    (failure: unknown) =>
    ({ signal }: AttemptRequest): Promise<DeliveredPicture> =>
      new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(failure)));

  it('ends a call that hangs, at its time and not before, and keeps what that call said', async () => {
    const failure = new ProviderFailure('aborted', { outcome: 'UNKNOWN' });
    const sent = middleware(makeAttemptRequest(inAMinute), hanging(failure)).catch((error: unknown) => error);
    let over = false;
    void sent.then(() => {
      over = true;
    });
    await vi.advanceTimersByTimeAsync(59_999);
    expect(over).toBe(false);
    await vi.advanceTimersByTimeAsync(1);
    const error = await sent;
    expect(error).toBeInstanceOf(DeadlineExceededError);
    expect(error).toMatchObject({ code: 'DEADLINE_EXCEEDED', retryable: true, cause: failure });
  });

  it('calls nothing when it has passed already', async () => {
    let called = false;
    const sent = middleware(makeAttemptRequest({ deadlineAt: NOON }), async () => {
      called = true;
      return makeDelivered();
    });
    await expect(sent).rejects.toThrow(DeadlineExceededError);
    expect(called).toBe(false);
  });

  it.each([
    ['an answer without a picture', new InvalidPictureError('not a PNG')],
    ['a rejection', new ProviderFailure('refused', { outcome: 'REJECTED', httpStatus: 400 })],
    ['that another replica owns it now', new FencedError('another replica')],
  ])('lets pass %s, even when it is told after the deadline', async (_name, answer) => {
    const sent = middleware(makeAttemptRequest(inAMinute), hanging(answer)).catch((error: unknown) => error);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(await sent).toBe(answer);
  });

  it('lets a picture pass that came in time, and leaves no timer behind', async () => {
    const delivered = makeDelivered();
    expect(await middleware(makeAttemptRequest(inAMinute), async () => delivered)).toBe(delivered);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('does not take an abort by somebody else for its own', async () => {
    const canceling = new AbortController();
    const fenced = new FencedError('another replica');
    const sent = middleware(makeAttemptRequest({ ...inAMinute, signal: canceling.signal }), hanging(fenced));
    canceling.abort();
    await expect(sent).rejects.toBe(fenced);
    expect(vi.getTimerCount()).toBe(0);
  });
});
