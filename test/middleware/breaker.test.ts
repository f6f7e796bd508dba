import { describe, expect, it } from 'vitest';
import {
  AttemptsUsedUpError,
  DeadlineExceededError,
  FencedError,
  HandoverError,
  InvalidPictureError,
  ProviderFailure,
  StorageError,
} from '../../src/errors.ts';
import { breaker } from '../../src/middleware/breaker.ts';
import type { AttemptRequest } from '../../src/middleware/middleware.ts';
import { createCircuit } from '../../src/provider-circuit.ts';
import { describeAttemptMiddleware } from '../../src/testing/describe-middleware.ts';
import {
  makeAttemptRequest,
  makeDelivered,
  makeGeneration,
  makeRun,
  PROVIDER,
} from '../../src/testing/made-up.ts';
import { createManualClock } from '../support/manual-clock.ts';

const OPEN_MS = 30_000;

/** A breaker that opens with the second failure in a row, one circuit for each provider. */
function breaking(failures = 2) {
  const clock = createManualClock();
  const circuits = new Map(
    [PROVIDER, 'other'].map((name) => [name, createCircuit({ failures, openMs: OPEN_MS, now: clock.now })]),
  );
  const middleware = breaker({ circuitOf: (provider) => circuits.get(provider), now: clock.now });
  let calls = 0;
  return {
    clock,
    middleware,
    state: (provider = PROVIDER) => circuits.get(provider)?.state,
    calls: () => calls,
    succeed: (changes: Partial<AttemptRequest> = {}) =>
      middleware(makeAttemptRequest(changes), async () => {
        calls += 1;
        return makeDelivered();
      }),
    fail: (error: unknown, changes: Partial<AttemptRequest> = {}, tookMs = 0): Promise<unknown> =>
      middleware(makeAttemptRequest(changes), async () => {
        calls += 1;
        await clock.advance(tookMs);
        throw error;
      }).catch((thrown: unknown) => thrown),
  };
}

describeAttemptMiddleware('breaker', () => breaking().middleware);

const busy = new ProviderFailure('busy', { outcome: 'NOT_ACCEPTED', httpStatus: 503 });
const lost = new ProviderFailure('reset', { outcome: 'UNKNOWN' });
const usedUp = new AttemptsUsedUpError('no more', undefined);
const rejected = (rejection: 'REQUEST' | 'CONTENT_POLICY' | 'OPERATOR') =>
  new ProviderFailure('no', { outcome: 'REJECTED', rejection });

describe('breaker: what opens a circuit', () => {
  it.each([
    ['what the provider did not accept', busy],
    ['what it may have accepted', lost],
    ['a key that it refused', rejected('OPERATOR')],
  ])('%s, twice in a row', async (_what, error) => {
    const { state, fail } = breaking();
    expect(await fail(error)).toBe(error);
    expect(state()).toBe('CLOSED');
    expect(await fail(error)).toBe(error);
    expect(state()).toBe('OPEN');
  });

  it.each([
    ['a prompt that was refused', rejected('CONTENT_POLICY')],
    ['a request that was refused', rejected('REQUEST')],
    ['an answer without a picture', new InvalidPictureError('nothing')],
  ])('not %s: that is an answer, from which failures are counted anew', async (_what, error) => {
    const { state, fail } = breaking();
    await fail(busy);
    await fail(error);
    await fail(busy);
    expect(state()).toBe('CLOSED');
  });

  it.each([
    ['a full disk', new StorageError('full')],
    ['a replica that shuts down', new HandoverError('shutting down')],
    ['a generation that another replica took', new FencedError('taken')],
    ['a deadline that passed before anything was sent', new DeadlineExceededError('late')],
    ['a bug', new TypeError('a bug')],
    ['one whose attempts were used up before, so that it was not asked', usedUp],
  ])('not %s, which says nothing of the provider', async (_what, error) => {
    const { state, fail } = breaking();
    await fail(busy);
    for (let time = 0; time < 5; time++) await fail(error);
    expect(state()).toBe('CLOSED');
    await fail(busy);
    expect(state()).toBe('OPEN');
  });

  it.each(['signal', 'handover'] as const)('not a call that our own %s cut short', async (which) => {
    const { state, fail } = breaking();
    for (let time = 0; time < 5; time++) await fail(lost, { [which]: AbortSignal.abort() });
    expect(state()).toBe('CLOSED');
  });
});

describe('breaker: a call that the deadline cut short', () => {
  const late = new DeadlineExceededError('late', { cause: lost });
  const DEADLINE_MS = 600_000;

  /** Two that reach the provider when this much of their time is gone, and are cut short there. */
  async function twiceAfter(elsewhereMs: number) {
    const { clock, state, fail } = breaking();
    for (let time = 0; time < 2; time++) {
      const startedAt = clock.now();
      const deadlineAt = new Date(startedAt.getTime() + DEADLINE_MS);
      await clock.advance(elsewhereMs);
      const run = makeRun({ generation: makeGeneration({ startedAt }), deadlineAt });
      expect(await fail(late, { run }, DEADLINE_MS - elsewhereMs)).toBe(late);
    }
    return state();
  }

  it('opens a circuit where the provider had all of the time, or half of it', async () => {
    expect(await twiceAfter(0)).toBe('OPEN');
    expect(await twiceAfter(DEADLINE_MS / 2)).toBe('OPEN');
  });

  it('says nothing of one that had less, because those before it had the rest', async () => {
    expect(await twiceAfter(DEADLINE_MS / 2 + 1)).toBe('CLOSED');
  });
});

describe('breaker: an open circuit', () => {
  async function opened() {
    const made = breaking();
    await made.fail(busy);
    await made.fail(busy);
    return made;
  }

  it('makes no call, and says when to come back; nothing was accepted', async () => {
    const { clock, calls, fail, succeed } = await opened();
    await clock.advance(12_000);
    const refusal = await fail(busy);
    expect(refusal).toBeInstanceOf(ProviderFailure);
    expect(refusal).toMatchObject({
      outcome: 'NOT_ACCEPTED',
      providerCode: 'CIRCUIT_OPEN',
      retryAfterMs: OPEN_MS - 12_000,
    });
    await expect(succeed()).rejects.toMatchObject({ providerCode: 'CIRCUIT_OPEN' });
    expect(calls()).toBe(2);
  });

  it('is that of one provider: others are called', async () => {
    const { state, succeed } = await opened();
    await succeed({ provider: 'other' });
    expect(state('other')).toBe('CLOSED');
  });

  it('is none where the provider has no circuit', async () => {
    const { fail, succeed } = await opened();
    for (let time = 0; time < 5; time++) await fail(busy, { provider: 'without' });
    await succeed({ provider: 'without' });
  });

  it('lets one generation try when its time is over, and closes with its picture', async () => {
    const { clock, state, succeed } = await opened();
    await clock.advance(OPEN_MS);
    await succeed();
    expect(state()).toBe('CLOSED');
  });

  it('opens again where that one fails', async () => {
    const { clock, state, fail } = await opened();
    await clock.advance(OPEN_MS);
    expect(await fail(busy)).toBe(busy);
    expect(state()).toBe('OPEN');
  });

  it('lets the next one try where that one was canceled', async () => {
    const { clock, state, fail, succeed } = await opened();
    await clock.advance(OPEN_MS);
    await fail(lost, { signal: AbortSignal.abort() });
    expect(state()).toBe('HALF_OPEN');
    await succeed();
    expect(state()).toBe('CLOSED');
  });

  it('lets another one try where the first never comes back, not even at its deadline', async () => {
    const { clock, middleware, state, fail, succeed } = await opened();
    await clock.advance(OPEN_MS);
    const request = makeAttemptRequest();
    void middleware(request, () => new Promise(() => {}));
    await clock.advance(request.deadlineAt.getTime() - clock.now().getTime());
    expect(await fail(busy)).toMatchObject({ providerCode: 'CIRCUIT_OPEN' });
    await clock.advance(OPEN_MS);
    await succeed();
    expect(state()).toBe('CLOSED');
  });

  it('refuses the others while one tries', async () => {
    const { clock, middleware, fail } = await opened();
    await clock.advance(OPEN_MS);
    const gate = Promise.withResolvers<void>();
    const trying = middleware(makeAttemptRequest(), async () => {
      await gate.promise;
      return makeDelivered();
    });
    expect(await fail(busy)).toMatchObject({ providerCode: 'CIRCUIT_OPEN', retryAfterMs: OPEN_MS });
    gate.resolve();
    await trying;
    expect(await fail(busy)).toBe(busy);
  });
});
