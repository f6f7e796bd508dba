import { describe, expect, it } from 'vitest';
import {
  AttemptsUsedUpError,
  HandoverError,
  InvalidPictureError,
  ProviderFailure,
} from '../../src/errors.ts';
import type { DeliveryGuarantee } from '../../src/generation.ts';
import type { AttemptRequest } from '../../src/middleware/middleware.ts';
import { type RetryOptions, retry } from '../../src/middleware/retry.ts';
import { describeAttemptMiddleware } from '../../src/testing/describe-middleware.ts';
import {
  makeAttempt,
  makeAttemptRequest,
  makeDelivered,
  makeGeneration,
  makeRun,
  PROVIDER,
} from '../../src/testing/made-up.ts';
import { createManualClock } from '../support/manual-clock.ts';

describeAttemptMiddleware('retry', () => retry({ ...createManualClock({ hurried: true }) }));

const notAccepted = (retryAfterMs?: number) =>
  new ProviderFailure('busy', { outcome: 'NOT_ACCEPTED', httpStatus: 429, retryAfterMs });
const unknown = () => new ProviderFailure('reset', { outcome: 'UNKNOWN', providerCode: 'UND_ERR_SOCKET' });

/** Sends a request through a retry whose calls end as listed, and then well. */
async function attempt(
  endings: readonly unknown[],
  changes: Partial<AttemptRequest> = {},
  options: Partial<RetryOptions> = {},
) {
  const clock = createManualClock({ hurried: true });
  const middleware = retry({ now: clock.now, sleep: clock.sleep, random: () => 0, ...options });
  const numbers: number[] = [];
  const sent = middleware(makeAttemptRequest(changes), async ({ attemptNumber }) => {
    const ending = endings[numbers.length];
    numbers.push(attemptNumber);
    if (ending !== undefined) throw ending;
    return makeDelivered();
  });
  const result = await sent.then(
    (delivered) => ({ delivered, error: undefined }),
    (error: unknown) => ({ delivered: undefined, error }),
  );
  return { ...result, numbers, waitsMs: clock.waitsMs };
}

const withDelivery = (delivery: DeliveryGuarantee) =>
  makeRun({ generation: makeGeneration({ delivery, status: 'RUNNING' }) });

describe('retry: its waits', () => {
  it('are 3, 8 and 15 seconds, and then the last failure is the end', async () => {
    const last = notAccepted();
    const { error, numbers, waitsMs } = await attempt([notAccepted(), notAccepted(), notAccepted(), last]);
    expect(waitsMs).toEqual([3_000, 8_000, 15_000]);
    expect(numbers).toEqual([1, 2, 3, 4]);
    expect(error).toBe(last);
  });

  it('end with the first success', async () => {
    const { delivered, waitsMs } = await attempt([notAccepted()]);
    expect(delivered).toBeDefined();
    expect(waitsMs).toEqual([3_000]);
  });

  it('are as many as configured; with none, nothing is sent twice', async () => {
    const failures = [notAccepted(), notAccepted(), notAccepted()];
    expect((await attempt(failures, {}, { delaysMs: [5, 7] })).waitsMs).toEqual([5, 7]);
    expect((await attempt(failures, {}, { delaysMs: [] })).numbers).toEqual([1]);
  });

  it('have up to a tenth added at random, never less and never more', async () => {
    const { waitsMs: most } = await attempt([notAccepted()], {}, { random: () => 0.999_999 });
    expect(most[0]).toBeGreaterThan(3_299);
    expect(most[0]).toBeLessThanOrEqual(3_300);
    const { waitsMs: some } = await attempt([notAccepted()], {}, { random: Math.random });
    expect(some[0]).toBeGreaterThanOrEqual(3_000);
    expect(some[0]).toBeLessThanOrEqual(3_300);
  });
});

describe('retry: Retry-After', () => {
  it('is waited for when it is longer', async () => {
    expect((await attempt([notAccepted(42_000)])).waitsMs).toEqual([42_000]);
  });

  it('never shortens a wait', async () => {
    expect((await attempt([notAccepted(1_000)])).waitsMs).toEqual([3_000]);
    expect((await attempt([notAccepted(0)])).waitsMs).toEqual([3_000]);
  });

  it('beyond the deadline ends it at once, with that failure and no wait', async () => {
    const failure = notAccepted(600_000);
    const { error, waitsMs, numbers } = await attempt([failure]);
    expect(error).toBe(failure);
    expect(waitsMs).toEqual([]);
    expect(numbers).toEqual([1]);
  });
});

describe('retry: Retry-After, where another provider would be asked now', () => {
  const elsewhere = { goesOn: () => true };

  it('is not waited for beyond the wait that is due: the failure is the end here', async () => {
    const failure = notAccepted(20_000);
    const { error, numbers, waitsMs } = await attempt([failure], {}, elsewhere);
    expect(error).toBe(failure);
    expect(numbers).toEqual([1]);
    expect(waitsMs).toEqual([]);
  });

  it('changes nothing where it is no longer than that wait', async () => {
    const failures = [notAccepted(3_000), notAccepted(8_000), notAccepted()];
    expect((await attempt(failures, {}, elsewhere)).waitsMs).toEqual([3_000, 8_000, 15_000]);
  });

  it('is asked of the generation at hand', async () => {
    const goesOn: RetryOptions['goesOn'] = ({ route }) => route.length > 1;
    const routed = makeRun({ generation: makeGeneration({ route: [PROVIDER, 'next'] }) });
    expect((await attempt([notAccepted(20_000)], { run: routed }, { goesOn })).numbers).toEqual([1]);
    expect((await attempt([notAccepted(20_000)], {}, { goesOn })).waitsMs).toEqual([20_000]);
  });
});

describe('retry: what is sent again', () => {
  it('under both guarantees: what was not accepted', async () => {
    for (const delivery of ['AT_LEAST_ONCE', 'AT_MOST_ONCE'] as const) {
      const { delivered, numbers } = await attempt([notAccepted()], { run: withDelivery(delivery) });
      expect(delivered, delivery).toBeDefined();
      expect(numbers).toEqual([1, 2]);
    }
  });

  it('an unknown outcome, under AT_LEAST_ONCE', async () => {
    const { delivered, numbers } = await attempt([unknown()], { run: withDelivery('AT_LEAST_ONCE') });
    expect(delivered).toBeDefined();
    expect(numbers).toEqual([1, 2]);
  });

  it('never an unknown outcome under AT_MOST_ONCE, not even after calls that were not accepted', async () => {
    const failure = unknown();
    const run = withDelivery('AT_MOST_ONCE');
    const { error, numbers } = await attempt([notAccepted(), notAccepted(), failure], { run });
    expect(error).toBe(failure);
    expect(numbers).toEqual([1, 2, 3]);
  });

  it.each([
    ['a rejection', new ProviderFailure('no', { outcome: 'REJECTED', httpStatus: 400 })],
    ['a whole answer without a picture', new InvalidPictureError('nothing')],
    ['a bug', new TypeError('a bug')],
  ])('never %s', async (_name, failure) => {
    const { error, numbers } = await attempt([failure]);
    expect(error).toBe(failure);
    expect(numbers).toEqual([1]);
  });
});

describe('retry: attempts on record', () => {
  const died = (...outcomes: ('NOT_ACCEPTED' | 'UNKNOWN')[]) => {
    const attemptsMade = outcomes.map((outcome, index) =>
      makeAttempt({ number: index + 1, outcome, httpStatus: 503, errorCode: 'overloaded' }),
    );
    return { run: makeRun({ attemptsMade }), attemptNumber: outcomes.length + 1 };
  };

  it('count, whoever made them: what is left of the waits is used, and the numbers go on', async () => {
    const { numbers, waitsMs } = await attempt([unknown(), unknown()], died('UNKNOWN', 'UNKNOWN'));
    expect(numbers).toEqual([3, 4]);
    expect(waitsMs).toEqual([15_000]);
  });

  it('count for their provider: those at another one leave it all its tries, and number on', async () => {
    const attemptsMade = [1, 2, 3, 4].map((number) =>
      makeAttempt({ number, provider: 'another', outcome: 'NOT_ACCEPTED' }),
    );
    const own = makeAttempt({ number: 5, outcome: 'NOT_ACCEPTED' });
    const failures = [notAccepted(), notAccepted(), notAccepted(), notAccepted()];
    const fresh = await attempt(failures, { run: makeRun({ attemptsMade }), attemptNumber: 5 });
    expect(fresh.numbers).toEqual([5, 6, 7, 8]);
    expect(fresh.waitsMs).toEqual([3_000, 8_000, 15_000]);
    const run = makeRun({ attemptsMade: [...attemptsMade, own] });
    const takenOver = await attempt(failures, { run, attemptNumber: 6 });
    expect(takenOver.numbers).toEqual([6, 7, 8]);
    expect(takenOver.waitsMs).toEqual([8_000, 15_000]);
  });

  it.each([
    ['NOT_ACCEPTED', 'NOT_ACCEPTED'],
    ['UNKNOWN', 'UNKNOWN'],
  ] as const)(
    'that used up all tries: nothing is sent, and it ends as the last one did, %s',
    async (last, outcome) => {
      const { error, numbers } = await attempt([], died('UNKNOWN', 'UNKNOWN', 'UNKNOWN', last));
      expect(numbers).toEqual([]);
      expect(error).toBeInstanceOf(AttemptsUsedUpError);
      expect(error).toMatchObject({ outcome, httpStatus: 503, providerCode: 'overloaded' });
    },
  );
});

describe('retry: leaving', () => {
  /** A request whose first call fails, so that it waits for the second. */
  async function waiting(changes: Partial<AttemptRequest>) {
    const clock = createManualClock();
    let calls = 0;
    const failure = notAccepted();
    const sent = retry({ now: clock.now, sleep: clock.sleep, random: () => 0 })(
      makeAttemptRequest(changes),
      async () => {
        calls += 1;
        throw failure;
      },
    );
    const error = sent.catch((caught: unknown) => caught);
    await clock.advance(1_000);
    expect(clock.waitsMs).toEqual([3_000]);
    return { clock, error, failure, calls: () => calls };
  }

  it('hands over before the first call', async () => {
    const { error, numbers } = await attempt([], { handover: AbortSignal.abort() });
    expect(error).toBeInstanceOf(HandoverError);
    expect(numbers).toEqual([]);
  });

  it('hands over during a wait, at once, and sends nothing more', async () => {
    const handover = new AbortController();
    const { error, failure, calls } = await waiting({ handover: handover.signal });
    handover.abort();
    expect(await error).toBeInstanceOf(HandoverError);
    expect(await error).toMatchObject({ cause: failure });
    expect(calls()).toBe(1);
  });

  it('lets a call that was sent go on while the replica shuts down', async () => {
    const handover = new AbortController();
    const delivered = makeDelivered();
    const sent = retry({ ...createManualClock() })(
      makeAttemptRequest({ handover: handover.signal }),
      async ({ signal }) => {
        handover.abort();
        expect(signal.aborted).toBe(false);
        return delivered;
      },
    );
    expect(await sent).toBe(delivered);
  });

  it('ends a wait that is aborted with the failure that it followed', async () => {
    const canceling = new AbortController();
    const { error, failure, calls } = await waiting({ signal: canceling.signal });
    canceling.abort();
    expect(await error).toBe(failure);
    expect(calls()).toBe(1);
  });
});
