import { describe, expect, it } from 'vitest';
import { DeadlineExceededError, ProviderFailure } from '../src/errors.ts';
import { createHealth } from '../src/provider-health.ts';
import { createManualClock } from './support/manual-clock.ts';

describe('createHealth', () => {
  const failure = () => new ProviderFailure('busy', { outcome: 'NOT_ACCEPTED', httpStatus: 503 });
  const rejection = (reason: 'REQUEST' | 'CONTENT_POLICY' | 'OPERATOR') =>
    new ProviderFailure('no', { outcome: 'REJECTED', rejection: reason });

  function watching() {
    const clock = createManualClock();
    const health = createHealth({ now: clock.now });
    return {
      clock,
      status: () => health.read().status,
      checkedAt: () => health.read().checkedAt,
      succeed: () => health.watch(async () => 'a picture'),
      async fail(error: unknown = failure(), times = 1) {
        for (let time = 0; time < times; time++) {
          await expect(health.watch(() => Promise.reject(error))).rejects.toBe(error);
        }
      },
    };
  }

  it('thinks well of a provider that was never called', () => {
    const { status, checkedAt } = watching();
    expect(status()).toBe('AVAILABLE');
    expect(checkedAt()).toBeUndefined();
  });

  it('hands on what the call brings, and remembers when it ended', async () => {
    const { clock, status, checkedAt, succeed } = watching();
    await clock.advance(5_000);
    expect(await succeed()).toBe('a picture');
    expect(status()).toBe('AVAILABLE');
    expect(checkedAt()).toEqual(clock.now());
  });

  it('is degraded from the first failure, unavailable from the fifth in a row', async () => {
    const { status, fail } = watching();
    await fail();
    expect(status()).toBe('DEGRADED');
    await fail(failure(), 3);
    expect(status()).toBe('DEGRADED');
    await fail();
    expect(status()).toBe('UNAVAILABLE');
    await fail(new DeadlineExceededError('too late'));
    expect(status()).toBe('UNAVAILABLE');
  });

  it('is well again after one success', async () => {
    const { status, succeed, fail } = watching();
    await fail(failure(), 9);
    await succeed();
    expect(status()).toBe('AVAILABLE');
  });

  it('is not blamed for a prompt that it refused: it answered', async () => {
    const { status, fail } = watching();
    await fail(failure(), 5);
    await fail(rejection('CONTENT_POLICY'));
    expect(status()).toBe('AVAILABLE');
    await fail(rejection('REQUEST'), 9);
    expect(status()).toBe('AVAILABLE');
  });

  it('shows a key that it refuses', async () => {
    const { status, fail } = watching();
    await fail(rejection('OPERATOR'), 5);
    expect(status()).toBe('UNAVAILABLE');
  });
});
